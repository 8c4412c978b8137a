"""One `group_send` as one script: Redis finds the members, and writes what channels_redis would have written.

The steps, the keys and the bytes are those of `RedisChannelLayer.group_send` (channels_redis 3 and 4), which needs four
round trips for them.
"""

import hashlib
import os
from collections.abc import Mapping
from typing import Any

import msgpack

Word = str | bytes | int | float

SCRIPT = b"""
local prefix, group, oldest_member, oldest_message, expiry, capacity, now, body = unpack(ARGV)
local key = prefix .. ':group:' .. group
redis.call('ZREMRANGEBYSCORE', key, 0, oldest_member)
local channels, queues = {}, {}
for _, channel in ipairs(redis.call('ZRANGE', key, 0, -1)) do
  local bang = string.find(channel, '!', 1, true)
  local queue = prefix .. (bang and string.sub(channel, 1, bang) or channel)
  if not channels[queue] then
    channels[queue] = {}
    queues[#queues + 1] = queue
  end
  table.insert(channels[queue], channel)
end
local full = 0
for _, queue in ipairs(queues) do
  redis.call('ZREMRANGEBYSCORE', queue, 0, oldest_message)
  if redis.call('ZCARD', queue) < tonumber(capacity) then
    redis.call('ZADD', queue, now, body .. cmsgpack.pack(channels[queue]))
    redis.call('EXPIRE', queue, expiry)
  else
    full = full + 1
  end
end
return {full, #queues}
"""
DIGEST = hashlib.sha1(SCRIPT, usedforsecurity=False).hexdigest()

ADDRESSEES = "__asgi_channel__"
EMPTY_ARRAY = 1
"""Bytes that msgpack writes for one."""


def pack_body(message: Mapping[str, Any], random_prefix_length: int) -> bytes:
    """A queue's entry up to the list of channels, which the script appends.

    Raises `TypeError` for what msgpack can't pack.
    """
    last = {key: value for key, value in message.items() if key != ADDRESSEES} | {ADDRESSEES: []}
    packed: bytes = msgpack.packb(last)
    return os.urandom(random_prefix_length) + packed[:-EMPTY_ARRAY]


def arguments(
    *, prefix: str, group: str, group_expiry: int, expiry: int, capacity: int, now: float, body: bytes
) -> tuple[Word, ...]:
    """The script's, in its order; times in seconds, `now` Unix time."""
    return (prefix, group, int(now) - group_expiry, int(now) - expiry, expiry, capacity, repr(now), body)
