"""What is in an entry of the channel layer: messages to bytes and back, by channels_redis' two serializers.

An entry that is in msgpack and not encrypted is completed by Redis (`group_send`); any other must be whole before.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgpack

from awxfast._rust import EntryFormat
from awxfast.settings import LayerSettings
from awxfast.wire.group_send import ADDRESSEES, PASSED_ON_BY

STOCK_CLASSES = {"msgpack": "MsgPackSerializer", "json": "JSONSerializer"}
"""Of channels_redis' serializers the classes that stand behind their names unless an application says otherwise."""

EXPIRY_SPARE = 10
"""Seconds that an encrypted entry lasts past `expiry`, as in channels_redis."""


def make_entry_format(layer: LayerSettings, keys: Sequence[bytes] = ()) -> EntryFormat:
    """How the entries of a layer are written.

    What pub/sub carries is never too old, and nothing stands before it: its constructor takes a length, and makes
    nothing of it.
    """
    is_stored = layer.layer != "pubsub"
    return EntryFormat(
        prefix_length=max(0, layer.random_prefix_length) if is_stored else 0,
        serializer=layer.serializer_format,
        keys=keys,
        ttl=layer.expiry + EXPIRY_SPARE if is_stored else None,
    )


def is_completed_by_redis(entry_format: EntryFormat) -> bool:
    """Whether Redis can append the list of channels to what `group_send` packs."""
    return entry_format.serializer == "msgpack" and not entry_format.is_encrypted


def pack_whole(entry_format: EntryFormat, message: Mapping[str, Any], channels: Sequence[str] | None) -> bytes:
    """An entry for these channels of one queue; None: the layer tells them otherwise.

    Raises `TypeError` for what the serializer can't write.
    """
    addressed = {key: value for key, value in message.items() if key != ADDRESSEES}
    if channels is not None:
        addressed[ADDRESSEES] = list(channels)
    packed = msgpack.packb(addressed) if entry_format.serializer == "msgpack" else json.dumps(addressed).encode()
    return entry_format.seal(packed)


def unpack_body(serializer: str, body: bytes) -> dict[str, Any]:
    """The message of an opened entry, as the stock layer's serializer reads it, but for the list of channels."""
    message: dict[str, Any] = msgpack.unpackb(body, raw=False) if serializer == "msgpack" else json.loads(body)
    message.pop(ADDRESSEES, None)
    message.pop(PASSED_ON_BY, None)
    return message


def find_own_serializer(configuration: Mapping[str, Any]) -> str | None:
    """The name of a layer's serializer if an application has registered it itself, so that only its code can read it.

    Who has not imported channels_redis has registered none.
    """
    name = str(configuration.get("serializer_format", "msgpack"))
    if name not in STOCK_CLASSES:
        return name
    module = sys.modules.get("channels_redis.serializers")
    if module is None:
        return None
    try:
        made = module.registry.get_serializer(name)
    except Exception:  # an application's own may want arguments, or do whatever it likes
        return name
    return None if type(made) is getattr(module, STOCK_CLASSES[name]) else name
