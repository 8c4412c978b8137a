"""What channels_redis' core layer is told in CHANNEL_LAYERS, but for its `hosts`; and its defaults."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from awxfast.settings import LAYER_DEFAULTS, LAYER_FIELDS, LayerSettings

STOCK = LayerSettings(capacity=100, group_expiry=86_400)
"""What its constructor takes for granted."""


def read_layer(configuration: Mapping[str, Any], layer: str = STOCK.layer) -> LayerSettings:
    """What the constructor's arguments say, with its own defaults, for a layer of this form."""
    given = {name: configuration[name] for name in LAYER_FIELDS if name in configuration}
    return dataclasses.replace(STOCK, **{"layer": layer, **LAYER_DEFAULTS[layer], **given})
