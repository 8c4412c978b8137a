"""One pop of the process's queue: how to ask, and how to read what comes.

A pop is bound in events and, where what waits may be large, in bytes: a script looks at lengths before it takes
anything. Lua copies all that passes through it, which takes Redis two or three times as long as the plain pop, so that
is for where it matters: a full pop asks with it how large the next ones are, which costs Redis microseconds.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from awxfast.errors import RedisReplyError
from awxfast.redis.commands import Command
from awxfast.redis.connection import RedisConnection
from awxfast.redis.replies import describe, is_texts

BATCH_BYTES = 8_388_608
"""What a pop that looks takes at most, but for a first event that is larger."""

_LOOK_AND_TAKE = b"""
local key, count, room, largest = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local answer = {0, 0}
local rank, size, step = 0, 0, 1
while rank < count and size < room and answer[2] == 0 do
  local found = redis.pcall('ZRANGE', key, rank, math.min(rank + step, count) - 1, 'WITHSCORES')
  if found.err then return found end
  if #found == 0 then break end
  step = math.min(step * 2, 8)
  for i = 1, #found, 2 do
    local length = #found[i]
    if length > 65536 then step = 1 end
    if length > largest then
      answer[1] = answer[1] + 1
    elseif size > 0 and size + length > room then
      answer[2] = 1
      break
    else
      size = size + length
      answer[#answer + 1] = found[i]
      answer[#answer + 1] = found[i + 1]
    end
    rank = rank + 1
  end
end
if size >= room then answer[2] = 1 end
local removed = redis.pcall('ZREMRANGEBYRANK', key, rank > 0 and 0 or 1, math.max(rank - 1, 0))
if type(removed) ~= 'number' then return removed end
return answer
"""
"""Steps are short, since Lua copies what it looks at. The answer: how many were too large (they are gone), whether it
stopped for want of room, then entries and scores. An error raised in a script loses its word in Redis 6. It writes
also where nothing waits, so that a Redis that would not let it is known."""

Batch = list[Any]
"""`[[entry, score], ...]`, both bytes: an entry is a member of the sorted set that the queue is."""


class Popped(NamedTuple):
    """What came. `too_large`: events that were removed unseen. `cut`: more waits, for want of room."""

    batch: Batch
    too_large: int = 0
    cut: bool = False


def look_command(queue: str, count: int, max_event_size: int) -> Command:
    """Takes what is there, without waiting."""
    return ("EVAL", _LOOK_AND_TAKE, 1, queue, count, BATCH_BYTES, max_event_size)


def wait_command(queue: str, seconds: float, count: int, has_bzmpop: bool) -> Command:
    """Waits for an event; with BZMPOP takes up to `count`, else one."""
    if has_bzmpop:
        return ("BZMPOP", seconds, 1, queue, "MIN", "COUNT", count)
    return ("BZPOPMIN", queue, seconds)


def read_fits(replies: Sequence[Any], count: int, came: int = 0) -> bool:
    """Whether, by how many wait and what Redis says they take, the next `count` fit into `BATCH_BYTES`.

    Not known counts as no.
    """
    if not replies:
        return False
    waiting, size = replies
    return type(size) is int and type(waiting) is int and waiting > 0 and size // waiting * count <= BATCH_BYTES


def read_looked(connection: RedisConnection, reply: Any) -> Popped:
    """What Redis answered to `look_command`. Raises `RedisError`."""
    raise_error(reply)
    if type(reply) is not list or len(reply) % 2 or not is_counts(reply[:2]) or not is_texts(reply[2:]):
        raise connection.distrust(f"{describe(reply)} to a pop")
    return Popped(pairs(reply[2:]), reply[0], bool(reply[1]))


def read_waited(reply: Any) -> Batch:
    """What Redis answered to either form of `wait_command`. Raises `RedisReplyError`."""
    raise_error(reply)
    if reply is None:
        return []
    batch: Batch = reply[1] if len(reply) == 2 else [reply[1:]]
    return batch


def read_popped(reply: Any) -> Batch:
    """The entries that ZPOPMIN took. Raises `RedisReplyError`."""
    raise_error(reply)
    return pairs(reply)


def is_counts(numbers: list[Any]) -> bool:
    """Whether these are two numbers."""
    return [type(number) for number in numbers] == [int, int]


def raise_error(reply: Any) -> None:
    """Raises an error among several replies."""
    if isinstance(reply, RedisReplyError):
        raise reply


def pairs(flat: list[Any]) -> Batch:
    """What RESP2 gives as entry, score, entry, score."""
    return [[flat[i], flat[i + 1]] for i in range(0, len(flat), 2)]
