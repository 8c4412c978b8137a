"""How a `group_send` is written where a layer has several Redis, in two steps as channels_redis does it.

The Redis of a group tells who is in it; each of its queues stands on the Redis of its own name, one script for all that
goes there. Keys and bytes are those of `wire.group_send`.
"""

from collections.abc import Mapping, Sequence

import msgpack

from awxfast.settings import LayerSettings
from awxfast.wire.group_send import Script, Word
from awxfast.wire.host_choice import choose_host

Queues = Mapping[bytes, Sequence[bytes]]
"""The channels in a group by the non-local name that they share, which names their queue."""

FIND_MEMBERS = Script.of(
    b"""
local prefix, oldest_member = ARGV[1], ARGV[2]
local answers = {}
for i = 3, #ARGV do
  local key = prefix .. ':group:' .. ARGV[i]
  redis.pcall('ZREMRANGEBYSCORE', key, 0, oldest_member)
  local names = redis.pcall('ZRANGE', key, 0, -1)
  answers[i - 2] = names.err and {} or names
end
return answers
"""
)
"""Who is in each group. A key of another type has nobody."""

SEND_TO_QUEUES = Script.of(
    b"""
local prefix, expiry, oldest_entry = ARGV[1], ARGV[2], ARGV[3]
local capacity, count = tonumber(ARGV[4]), tonumber(ARGV[5])
local queues, answers, full = {}, {}, 0
for i = 1, count do
  local key = prefix .. ARGV[5 + i]
  redis.pcall('ZREMRANGEBYSCORE', key, 0, oldest_entry)
  local size = redis.pcall('ZCARD', key)
  if type(size) ~= 'number' then size = capacity end
  queues[i] = {key = key, size = size, add = {}}
end
local at = 6 + count
while at <= #ARGV do
  local score, entry, copies, taken = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), 0
  at = at + 3
  for _ = 1, copies do
    local queue, channels = queues[tonumber(ARGV[at])], ARGV[at + 1]
    at = at + 2
    if queue.size < capacity then
      queue.size = queue.size + 1
      table.insert(queue.add, score)
      table.insert(queue.add, entry .. channels)
      taken = taken + 1
    else
      full = full + 1
    end
  end
  answers[#answers + 1] = taken
end
for _, queue in ipairs(queues) do
  for from = 1, #queue.add, 1000 do
    redis.call('ZADD', queue.key, unpack(queue.add, from, math.min(from + 999, #queue.add)))
  end
  if #queue.add > 0 then redis.call('EXPIRE', queue.key, expiry) end
end
answers[#answers + 1] = full
return answers
"""
)
"""Messages in their order, each for the queues that it names by number.

The answer: for each into how many queues it went, then how many copies were over capacity.
"""


def find_members_arguments(layer: LayerSettings, groups: Sequence[str], now: float) -> list[Word]:
    """The arguments of `FIND_MEMBERS`; members past the group expiry are removed."""
    return [layer.prefix, int(now) - layer.group_expiry, *groups]


def send_to_queues_arguments(
    layer: LayerSettings, entries: Sequence[tuple[float, bytes, Queues]], now: float
) -> list[Word]:
    """The arguments of `SEND_TO_QUEUES`. `entries`: score, bytes up to the list of channels, and where to."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(n for _, _, q in entries for n in q), 1)}
    words: list[Word] = [layer.prefix, layer.expiry, int(now) - layer.expiry, layer.capacity, len(numbers), *numbers]
    for score, entry, queues in entries:
        words += (repr(score), entry, len(queues))
        for name, channels in queues.items():
            words += (numbers[name], pack_channels(channels))
    return words


def sort_by_host(channels: Sequence[bytes], hosts: int, own: bytes = b"") -> Mapping[int, Queues]:
    """The members of a group by the Redis that has their queues. `own`: the queue left out; empty: none is."""
    found: dict[int, dict[bytes, list[bytes]]] = {}
    for channel in channels:
        name, bang, _ = channel.partition(b"!")
        queue = name + bang
        if queue != own:
            found.setdefault(choose_host(queue, hosts), {}).setdefault(queue, []).append(channel)
    return found


def pack_channels(channels: Sequence[bytes]) -> bytes:
    """The list with which an entry ends, as Redis' own msgpack writes it, whatever the names are."""
    texts = [channel.decode("utf-8", "surrogateescape") for channel in channels]
    packed: bytes = msgpack.packb(texts, unicode_errors="surrogateescape")
    return packed
