"""The sending half of channels_redis' core layer, for machines without channels_redis (channel-layer wire, zset form).

Only what the demo's producers need: text messages to groups, one Redis.
"""

import secrets
import struct
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from redis.asyncio import Redis

RANDOM_PREFIX_LENGTH = 12


class WireLayer:
    """Writes what `RedisChannelLayer.group_send` writes, for members that a relay registered."""

    def __init__(self, url: str, prefix: str = "asgi", capacity: int = 10_000, expiry: int = 60) -> None:
        self._redis: Any = Redis.from_url(url)  # redis-py's own types change from version to version
        self._prefix = prefix
        self._capacity = capacity
        self._expiry = expiry

    async def group_send(self, group: str, message: Mapping[str, str | bool]) -> None:
        """Puts one message into the queue of each process with a member; a queue at its capacity gets none."""
        members = await self._redis.zrange(f"{self._prefix}:group:{group}", 0, -1)
        for queue, channels in channels_by_queue(members).items():
            key = self._prefix + queue
            if await self._redis.zcard(key) < self._capacity:
                entry = secrets.token_bytes(RANDOM_PREFIX_LENGTH) + pack_message(message, channels)
                async with self._redis.pipeline() as pipeline:
                    await pipeline.zadd(key, {entry: time.time()}).expire(key, self._expiry).execute()

    async def close_pools(self) -> None:
        """Closes the connections; named as in channels_redis."""
        await self._redis.aclose()


def channels_by_queue(members: Iterable[bytes]) -> dict[str, list[str]]:
    """Channel names by the queue that they share: all up to and including the first `!`."""
    queues: dict[str, list[str]] = defaultdict(list)
    for member in members:
        name = member.decode()
        head, mark, _ = name.partition("!")
        queues[head + mark].append(name)
    return dict(queues)


def pack_message(message: Mapping[str, str | bool], channels: list[str]) -> bytes:
    """A message as msgpack, with the channels last, as channels_redis writes them."""
    fields: dict[str, Any] = {**message, "__asgi_channel__": channels}
    parts = [bytes([0x80 | len(fields)])]
    for key, value in fields.items():
        parts.append(pack_text(key))
        if isinstance(value, bool):
            parts.append(b"\xc3" if value else b"\xc2")
        elif isinstance(value, str):
            parts.append(pack_text(value))
        else:
            parts.append(struct.pack(">BH", 0xDC, len(value)) if len(value) > 15 else bytes([0x90 | len(value)]))
            parts.extend(pack_text(channel) for channel in value)
    return b"".join(parts)


def pack_text(text: str) -> bytes:
    """A string in msgpack's shortest form."""
    data = text.encode()
    size = len(data)
    if size < 32:
        return bytes([0xA0 | size]) + data
    if size < 1 << 8:
        return struct.pack(">BB", 0xD9, size) + data
    if size < 1 << 16:
        return struct.pack(">BH", 0xDA, size) + data
    return struct.pack(">BI", 0xDB, size) + data
