"""A `group_send` of entries that are whole before Redis gets them: encrypted ones, and those in JSON.

They name their channels, so the members of a group must be known first, as in channels_redis. Whoever sends one message
keeps those that it found last: the script writes if they are still the group's, and tells them anew if not.
"""

import hashlib
from collections.abc import Mapping, Sequence

from awxfast.settings import LayerSettings
from awxfast.wire.group_send import Script, Word
from awxfast.wire.host_choice import cut_to_queue

CHANGED = -1
"""What the answer of `SEND_WHOLE` begins with when the members are others; they follow."""

_SORTED_SETS = b"""
local function measure(queue, oldest_entry)
  redis.pcall('ZREMRANGEBYSCORE', queue, 0, oldest_entry)
  return redis.pcall('ZCARD', queue)
end
local function push(queue, score, entry) redis.call('ZADD', queue, score, entry) end
"""
_LISTS = b"""
local function measure(queue) return redis.pcall('LLEN', queue) end
local function push(queue, _, entry) redis.call('LPUSH', queue, entry) end
"""

_SEND_WHOLE = b"""
local prefix, group, oldest_member, oldest_entry, expiry, capacity, score, digest = unpack(ARGV, 1, 8)
local key = prefix .. ':group:' .. group
if digest ~= '' then
  redis.call('ZREMRANGEBYSCORE', key, 0, oldest_member)
  local members = redis.call('ZRANGE', key, 0, -1)
  if redis.sha1hex(table.concat(members, '\\n')) ~= digest then
    table.insert(members, 1, -1)
    return members
  end
end
local full, queues = 0, 0
for i = 9, #ARGV, 2 do
  local queue = prefix .. ARGV[i]
  local size = measure(queue, oldest_entry)
  if type(size) ~= 'number' then return size end
  if size < tonumber(capacity) then
    push(queue, score, ARGV[i + 1])
    redis.call('EXPIRE', queue, expiry)
  else
    full = full + 1
  end
  queues = queues + 1
end
return {full, queues}
"""

_WRITE_WHOLE = b"""
local prefix, expiry, oldest_entry, capacity = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local sizes, written, answers = {}, {}, {}
for i = 5, #ARGV, 3 do
  local queue = prefix .. ARGV[i]
  if not sizes[queue] then
    local size = measure(queue, oldest_entry)
    sizes[queue] = type(size) == 'number' and size or capacity
  end
  local has_room = sizes[queue] < capacity
  if has_room then
    push(queue, ARGV[i + 1], ARGV[i + 2])
    sizes[queue] = sizes[queue] + 1
    written[queue] = true
  end
  answers[#answers + 1] = has_room and 1 or 0
end
for queue in pairs(written) do redis.call('EXPIRE', queue, expiry) end
return answers
"""

FIND_MEMBERS = Script.of(
    b"""
local prefix, oldest_member = ARGV[1], ARGV[2]
local answers = {}
for i = 3, #ARGV do
  local key = prefix .. ':group:' .. ARGV[i]
  redis.pcall('ZREMRANGEBYSCORE', key, 0, oldest_member)
  local members = redis.pcall('ZRANGE', key, 0, -1)
  answers[i - 2] = members.err and {} or members
end
return answers
"""
)
"""For each group its members."""

SEND_WHOLE = {"core": Script.of(_SORTED_SETS, _SEND_WHOLE), "lists": Script.of(_LISTS, _SEND_WHOLE)}
"""By the form of the layer: one message, provided that the members are those it was made for.

The answer: how many queues were full, of how many; or `CHANGED` and the members. A key of another type is an error.
"""

WRITE_WHOLE = {"core": Script.of(_SORTED_SETS, _WRITE_WHOLE), "lists": Script.of(_LISTS, _WRITE_WHOLE)}
"""By the form of the layer: entries in their order, each for a queue. The answer: 1 for each, or 0 if that is full."""


def sort_by_queue(members: Sequence[bytes], own: str = "") -> dict[str, list[str]]:
    """Channels by the queue that they share, up to and including the first `!`; not those of `own`.

    A name that is not UTF-8 is nobody's: no layer writes one.
    """
    queues: dict[str, list[str]] = {}
    for member in members:
        try:
            name = member.decode()
        except UnicodeDecodeError:
            continue
        queue = cut_to_queue(name)
        if queue != own:
            queues.setdefault(queue, []).append(name)
    return queues


def send_whole_arguments(
    layer: LayerSettings, group: str, members: Sequence[bytes] | None, entries: Mapping[str, bytes], now: float
) -> list[Word]:
    """The arguments of `SEND_WHOLE`. `entries` by queue, for these members; None: whoever they are."""
    digest = hashlib.sha1(b"\n".join(members), usedforsecurity=False).hexdigest() if members is not None else ""
    oldest_member, oldest_entry = int(now) - layer.group_expiry, int(now) - layer.expiry
    words: list[Word] = [layer.prefix, group, oldest_member, oldest_entry, layer.expiry, layer.capacity, repr(now)]
    words.append(digest)
    for queue, entry in entries.items():
        words += (queue, entry)
    return words


def write_whole_arguments(layer: LayerSettings, entries: Sequence[tuple[str, float, bytes]], now: float) -> list[Word]:
    """The arguments of `WRITE_WHOLE`. `entries`: queue, score and bytes."""
    words: list[Word] = [layer.prefix, layer.expiry, int(now) - layer.expiry, layer.capacity]
    for queue, score, entry in entries:
        words += (queue, repr(score), entry)
    return words


def find_members_arguments(layer: LayerSettings, groups: Sequence[str], now: float) -> list[Word]:
    """The arguments of `FIND_MEMBERS`; members past the group expiry are removed."""
    return [layer.prefix, int(now) - layer.group_expiry, *groups]
