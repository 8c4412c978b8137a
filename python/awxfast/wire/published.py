"""A message as `channels_redis.pubsub` publishes it: serialized, with nothing before it and no list of channels."""

from collections.abc import Mapping
from typing import Any

import msgpack

from awxfast.settings import LayerSettings
from awxfast.wire.group_send import EVENT_TYPE, PASSED_ON_BY


def pack_published(layer: LayerSettings, message: Mapping[str, Any]) -> bytes:
    """What is published. Raises `TypeError` for what msgpack can't pack."""
    packed: bytes = msgpack.packb(message)
    return packed


def pack_published_event(layer: LayerSettings, text: bytes, passed_on_by: str = "") -> bytes:
    """The same for AWX's message of `text`, UTF-8."""
    origin = {PASSED_ON_BY: passed_on_by} if passed_on_by else {}
    return pack_published(layer, {"type": EVENT_TYPE, "text": text.decode(), **origin})
