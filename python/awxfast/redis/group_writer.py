"""Writes events into groups as `channels_redis` does, many in one script: what AWX's consumers read is the same.

The bytes and the order of steps are those of `RedisChannelLayer.group_send` (channels_redis 3 and 4, zset form);
trimming, counting and expiry are done once a batch instead of once an event.
"""

import dataclasses
import hashlib
import os
import struct
from collections.abc import Mapping, Sequence

from awxfast.errors import RedisReplyError
from awxfast.redis.connection import Argument, RedisConnection
from awxfast.redis.replies import describe, is_numbers

RANDOM_PREFIX = 12
SCORE_STEP = 2e-6
"""Seconds between two scores. Equal ones would leave the queue in random order; doubles of our time resolve 0.24e-6."""

MAX_BATCH_EVENTS = 256
MAX_BATCH_BYTES = 1_048_576
"""What one script is given at most: Redis serves nobody else meanwhile."""

_TYPE = b"\xa4type\xb0internal.message\xa4text"
_CHANNEL_KEY = b"\xb0__asgi_channel__"

_FIND_OTHERS = b"""
local prefix, own, oldest = ARGV[1], ARGV[2], ARGV[3]
local answers = {}
for i = 4, #ARGV do
  local key = prefix .. ':group:' .. ARGV[i]
  redis.pcall('ZREMRANGEBYSCORE', key, 0, oldest)
  local names = redis.pcall('ZRANGE', key, 0, -1)
  answers[i - 3] = 0
  if not names.err then
    for _, name in ipairs(names) do
      if own == '' or string.sub(name, 1, #own) ~= own then
        answers[i - 3] = 1
        break
      end
    end
  end
end
return answers
"""

_SEND = b"""
local prefix, own = ARGV[1], ARGV[2]
local expiry, oldest, capacity = ARGV[3], ARGV[4], tonumber(ARGV[5])
local takers, queues, order, answers = {}, {}, {}, {}
local full = 0
local function find_takers(group)
  local names = redis.pcall('ZRANGE', prefix .. ':group:' .. group, 0, -1)
  local by_queue, found = {}, {}
  if names.err then return found end
  for _, name in ipairs(names) do
    local bang = string.find(name, '!', 1, true)
    local queue = bang and string.sub(name, 1, bang) or name
    if queue ~= own then
      if not by_queue[queue] then
        by_queue[queue] = {}
        found[#found + 1] = {queue, by_queue[queue]}
      end
      table.insert(by_queue[queue], name)
    end
  end
  for _, taker in ipairs(found) do taker[2] = cmsgpack.pack(taker[2]) end
  return found
end
local function open_queue(name)
  local key = prefix .. name
  redis.pcall('ZREMRANGEBYSCORE', key, 0, oldest)
  local size = redis.pcall('ZCARD', key)
  local queue = {key = key, size = size, add = {}}
  if type(size) ~= 'number' then queue.size = capacity end
  queues[name] = queue
  order[#order + 1] = queue
  return queue
end
for i = 6, #ARGV, 3 do
  local group, score, body = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if not takers[group] then takers[group] = find_takers(group) end
  local taken = 0
  for _, taker in ipairs(takers[group]) do
    local queue = queues[taker[1]] or open_queue(taker[1])
    if queue.size < capacity then
      queue.size = queue.size + 1
      table.insert(queue.add, score)
      table.insert(queue.add, body .. taker[2])
      taken = taken + 1
    else
      full = full + 1
    end
  end
  answers[#answers + 1] = taken
end
for _, queue in ipairs(order) do
  for from = 1, #queue.add, 1000 do
    redis.call('ZADD', queue.key, unpack(queue.add, from, math.min(from + 999, #queue.add)))
  end
  if #queue.add > 0 then redis.call('EXPIRE', queue.key, expiry) end
end
answers[#answers + 1] = full
return answers
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """An event of a group: `text` is what browsers get, UTF-8. `taken`: somebody in this process has it already."""

    group: str
    text: bytes
    taken: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Sent:
    """What became of a batch. `taken`: for each event, into how many queues it went. `full`: copies over capacity."""

    taken: Sequence[int]
    full: int


class GroupWriter:
    """Writes batches. `own`: a non-local name (`specific.<token>!`) whose queue is left out; empty: none is."""

    def __init__(self, *, prefix: str, capacity: int, expiry: int, group_expiry: int, own: str = "") -> None:
        self._prefix = prefix
        self._capacity = capacity
        self._expiry = expiry
        self._group_expiry = group_expiry
        self._own = own
        self._last_score = 0.0

    def under(self, prefix: str) -> "GroupWriter":
        """The same for groups of another prefix, with no queue left out."""
        return GroupWriter(prefix=prefix, capacity=self._capacity, expiry=self._expiry, group_expiry=self._group_expiry)

    async def find_heard(self, connection: RedisConnection, groups: Sequence[str], now: float) -> Mapping[str, bool]:
        """For each of `groups` whether anybody but us is in it, so that texts nobody wants stay here.

        Raises `RedisError`.
        """
        oldest = int(now) - self._group_expiry
        answers = await _run_script(connection, _FIND_OTHERS, [self._prefix, self._own, oldest, *groups], len(groups))
        return dict(zip(groups, map(bool, answers), strict=True))

    async def send(self, connection: RedisConnection, events: Sequence[Event], now: float) -> Sent:
        """Writes events of at most `MAX_BATCH_EVENTS` and, beyond the first, `MAX_BATCH_BYTES`, in their order.

        Raises `RedisError`: then nobody knows whether they were written.
        """
        arguments: list[Argument] = [self._prefix, self._own, self._expiry, int(now) - self._expiry, self._capacity]
        for event in events:
            arguments += [event.group, repr(self._next_score(now)), pack_event(event.text)]
        answers = await _run_script(connection, _SEND, arguments, len(events) + 1)
        return Sent(answers[:-1], answers[-1])

    def command(self, group: str, message: bytes, now: float) -> tuple[Argument, ...]:
        """Writes one message, which `pack_message` made, for callers that don't wait for the answer."""
        score = repr(self._next_score(now))
        head = (self._prefix, self._own, self._expiry, int(now) - self._expiry, self._capacity)
        return ("EVAL", _SEND, 0, *head, group, score, message)

    def _next_score(self, now: float) -> float:
        """The time of sending, always later than the last one's, also when the clock steps back."""
        self._last_score = max(now, self._last_score + SCORE_STEP)
        return self._last_score


def pack_event(text: bytes) -> bytes:
    """A queue's entry but for the list of channels, which the script appends (msgpack, as its Python package packs)."""
    return b"".join((os.urandom(RANDOM_PREFIX), b"\x83", _TYPE, _pack_text(text), _CHANNEL_KEY))


def pack_message(message: Mapping[str, str | Sequence[str]]) -> bytes:
    """The same for a message of a few texts and lists of texts."""
    pairs = b"".join(_pack_text(key.encode()) + _pack_value(value) for key, value in message.items())
    return b"".join((os.urandom(RANDOM_PREFIX), bytes((0x81 + len(message),)), pairs, _CHANNEL_KEY))


def _pack_value(value: str | Sequence[str]) -> bytes:
    if isinstance(value, str):
        return _pack_text(value.encode())
    return struct.pack(">BI", 0xDD, len(value)) + b"".join(_pack_text(item.encode()) for item in value)


def _pack_text(text: bytes) -> bytes:
    return _pack_length(len(text)) + text


def _pack_length(length: int) -> bytes:
    if length < 32:
        return bytes((0xA0 | length,))
    if length < 0x100:
        return struct.pack(">BB", 0xD9, length)
    return struct.pack(">BH", 0xDA, length) if length < 0x10000 else struct.pack(">BI", 0xDB, length)


async def _run_script(
    connection: RedisConnection, script: bytes, arguments: Sequence[Argument], count: int
) -> list[int]:
    """Its `count` numbers. By its digest; with its text where Redis does not know it, as after a restart."""
    try:
        answers = await connection.command("EVALSHA", _digest(script), 0, *arguments)
    except RedisReplyError as error:
        if error.code != "NOSCRIPT":
            raise
        answers = await connection.command("EVAL", script, 0, *arguments)
    if not is_numbers(answers, count):
        raise connection.distrust(f"{describe(answers)} to a script")
    numbers: list[int] = answers
    return numbers


def _digest(script: bytes) -> str:
    """As Redis names scripts; no matter of security."""
    return _DIGESTS[script]


_DIGESTS = {script: hashlib.sha1(script, usedforsecurity=False).hexdigest() for script in (_FIND_OTHERS, _SEND)}
