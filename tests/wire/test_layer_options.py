"""What CHANNEL_LAYERS tells the stock layer, read as channels_redis reads it."""

import inspect

from awxfast.settings import LayerSettings
from awxfast.wire.layer_options import LAYER_FIELDS, STOCK, read_layer
from channels_redis.core import RedisChannelLayer


class TestDefaults:
    def test_they_are_those_of_the_stock_constructor(self) -> None:
        parameters = inspect.signature(RedisChannelLayer).parameters
        stock = {name: parameters[name].default for name in LAYER_FIELDS if name in parameters}
        assert stock == {name: getattr(STOCK, name) for name in stock}
        assert set(stock) >= {"prefix", "capacity", "expiry", "group_expiry"}

    def test_what_is_not_said_is_the_stock_constructors(self) -> None:
        assert read_layer({}) == STOCK
        assert read_layer({"prefix": "site", "hosts": []}) == LayerSettings(
            prefix="site", capacity=100, expiry=60, group_expiry=86_400, random_prefix_length=12
        )
