"""How a `group_send` is written, and read: into which queues it goes, and the bytes of an entry.

Keys, steps and bytes are those of `RedisChannelLayer.group_send` (channels_redis 3 and 4, zset form), which needs four
round trips for them; here Redis finds the members and writes in one script. Version 2's are in `send_scripts`.
"""

import dataclasses
import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgpack

from awxfast.settings import LayerSettings

Word = str | bytes | int

ADDRESSEES = "__asgi_channel__"
"""The last key of a message: the channels of one queue that it is for."""
PASSED_ON_BY = "__awxfast_from__"
"""The key of a published event that a process passes on from another node: it is subscribed too, and has it already."""
EMPTY_ARRAY = 1
"""Bytes that msgpack writes for one."""

EVENT_TYPE = "internal.message"
"""AWX's messages whose `text` is what browsers get."""


@dataclasses.dataclass(frozen=True, slots=True)
class Script:
    """Lua for Redis; `digest` is how Redis names it once it knows it, no matter of security."""

    text: bytes
    digest: str

    @classmethod
    def of(cls, *parts: bytes) -> "Script":
        """A script whose text is these parts, one behind the other."""
        text = b"".join(parts)
        return cls(text, hashlib.sha1(text, usedforsecurity=False).hexdigest())


FIND_QUEUES = b"""
local function find_queues(channels, own)
  local by_queue, queues = {}, {}
  for _, channel in ipairs(channels) do
    local bang = string.find(channel, '!', 1, true)
    local queue = bang and string.sub(channel, 1, bang) or channel
    if queue ~= own then
      if not by_queue[queue] then
        by_queue[queue] = {}
        queues[#queues + 1] = queue
      end
      table.insert(by_queue[queue], channel)
    end
  end
  return queues, by_queue
end
"""
"""The queues of a group's members, which share one up to and including the first `!`, but for `own`."""

_SEND_ONE = b"""
local prefix, group, oldest_member, oldest_entry, expiry, capacity, score, entry = unpack(ARGV)
local key = prefix .. ':group:' .. group
redis.call('ZREMRANGEBYSCORE', key, 0, oldest_member)
local queues, channels = find_queues(redis.call('ZRANGE', key, 0, -1))
local full = 0
for _, name in ipairs(queues) do
  local queue = prefix .. name
  %(trim)b
  if redis.call('%(size)b', queue) < tonumber(capacity) then
    redis.call('%(add)b', queue, %(score)bentry .. cmsgpack.pack(channels[name]))
    redis.call('EXPIRE', queue, expiry)
  else
    full = full + 1
  end
end
return {full, #queues}
"""

_SEND_MANY = b"""
local prefix, own = ARGV[1], ARGV[2]
local expiry, oldest_entry, capacity = ARGV[3], ARGV[4], tonumber(ARGV[5])
local takers, queues, order, answers = {}, {}, {}, {}
local full = 0
local function find_takers(group)
  local members = redis.pcall('ZRANGE', prefix .. ':group:' .. group, 0, -1)
  local found = {}
  if members.err then return found end
  local names, channels = find_queues(members, own)
  for i, name in ipairs(names) do found[i] = {name, cmsgpack.pack(channels[name])} end
  return found
end
local function open_queue(name)
  local key = prefix .. name
  %(trim)b
  local size = redis.pcall('%(size)b', key)
  local queue = {key = key, size = size, add = {}}
  if type(size) ~= 'number' then queue.size = capacity end
  queues[name] = queue
  order[#order + 1] = queue
  return queue
end
for i = 6, #ARGV, 3 do
  local group, score, entry = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if not takers[group] then takers[group] = find_takers(group) end
  local taken = 0
  for _, taker in ipairs(takers[group]) do
    local queue = queues[taker[1]] or open_queue(taker[1])
    if queue.size < capacity then
      queue.size = queue.size + 1
      %(score)b
      table.insert(queue.add, entry .. taker[2])
      taken = taken + 1
    else
      full = full + 1
    end
  end
  answers[#answers + 1] = taken
end
for _, queue in ipairs(order) do
  for from = 1, #queue.add, 1000 do
    redis.call('%(add)b', queue.key, unpack(queue.add, from, math.min(from + 999, #queue.add)))
  end
  if #queue.add > 0 then redis.call('EXPIRE', queue.key, expiry) end
end
answers[#answers + 1] = full
return answers
"""


class QueueCommands(NamedTuple):
    """What a script does to a queue: how it counts and adds, and where entries have scores, that."""

    size: bytes
    add: bytes
    has_scores: bool

    def make_send_one(self) -> Script:
        """Writes one message. The answer: how many queues were full, of how many."""
        return self._fill_in(_SEND_ONE, b"redis.call('ZREMRANGEBYSCORE', queue, 0, oldest_entry)", b"score, ")

    def make_send_many(self) -> Script:
        """Writes messages. The answer: for each into how many queues it went, then how many copies were too many."""
        trim = b"redis.pcall('ZREMRANGEBYSCORE', key, 0, oldest_entry)"
        return self._fill_in(_SEND_MANY, trim, b"table.insert(queue.add, score)")

    def _fill_in(self, text: bytes, trim: bytes, score: bytes) -> Script:
        """The same text for all, so that no call in Lua costs a producer's time."""
        scores = {b"trim": trim, b"score": score} if self.has_scores else {b"trim": b"", b"score": b""}
        return Script.of(FIND_QUEUES, text % {b"size": self.size, b"add": self.add, **scores})


SORTED_SETS = QueueCommands(b"ZCARD", b"ZADD", has_scores=True)

SEND_ONE = SORTED_SETS.make_send_one()
"""One message, for which Redis works a fifth less than with `SEND_MANY`. A key of another type is an error.

The answer: how many queues were full, of how many.
"""

SEND_MANY = SORTED_SETS.make_send_many()
"""Messages in their order; trimming, counting and expiry are done once a queue instead of once a message.

The answer: for each into how many queues it went, then how many copies were over capacity. A key of another type costs
only what is for it.
"""

FIND_HEARD = Script.of(
    b"""
local prefix, own, oldest_member = ARGV[1], ARGV[2], ARGV[3]
local answers = {}
for i = 4, #ARGV do
  local key = prefix .. ':group:' .. ARGV[i]
  redis.pcall('ZREMRANGEBYSCORE', key, 0, oldest_member)
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
)
"""For each group 1 if somebody but `own` is in it, else 0."""


def send_one_arguments(layer: LayerSettings, group: str, entry: bytes, now: float) -> tuple[Word, ...]:
    """The arguments of `SEND_ONE`; `now` is Unix time in seconds."""
    oldest_member, oldest_entry = int(now) - layer.group_expiry, int(now) - layer.expiry
    return (layer.prefix, group, oldest_member, oldest_entry, layer.expiry, layer.capacity, repr(now), entry)


def send_many_arguments(
    layer: LayerSettings, own: str, entries: Sequence[tuple[str, float, bytes]], now: float
) -> list[Word]:
    """The arguments of `SEND_MANY`. `entries`: group, score and bytes. `own`: the queue left out; empty: none is."""
    words: list[Word] = [layer.prefix, own, layer.expiry, int(now) - layer.expiry, layer.capacity]
    for group, score, entry in entries:
        words += (group, repr(score), entry)
    return words


def find_heard_arguments(layer: LayerSettings, own: str, groups: Sequence[str], now: float) -> list[Word]:
    """The arguments of `FIND_HEARD`; members past the group expiry are removed."""
    return [layer.prefix, own, int(now) - layer.group_expiry, *groups]


def pack_message(layer: LayerSettings, message: Mapping[str, Any]) -> bytes:
    """An entry up to the list of channels, which the scripts append. Raises `TypeError` for what msgpack can't pack."""
    last = {key: value for key, value in message.items() if key != ADDRESSEES} | {ADDRESSEES: []}
    packed: bytes = msgpack.packb(last)
    return os.urandom(max(0, layer.random_prefix_length)) + packed[:-EMPTY_ARRAY]


def pack_event(layer: LayerSettings, text: bytes) -> bytes:
    """The same for AWX's message of `text`, UTF-8, with the parts that never change made once."""
    return b"".join((os.urandom(max(0, layer.random_prefix_length)), _BEFORE_TEXT, _pack(text.decode()), _AFTER_TEXT))


_pack = msgpack.Packer().pack
_BEFORE_TEXT = b"".join((b"\x83", _pack("type"), _pack(EVENT_TYPE), _pack("text")))
_AFTER_TEXT = _pack(ADDRESSEES)
