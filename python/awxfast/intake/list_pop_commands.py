"""One pop of a queue that is a list, as channels_redis 2 keeps it: new entries at the head, the oldest at the tail.

The bounds are those of `pop_commands`. An entry has no score here.
"""

from collections.abc import Sequence
from typing import Any

from awxfast.intake.pop_commands import BATCH_BYTES, Batch, Popped, is_counts, raise_error
from awxfast.redis.commands import Command
from awxfast.redis.connection import RedisConnection
from awxfast.redis.replies import describe, is_texts

_LOOK_AND_TAKE = b"""
local key, count, room, largest = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local answer = {0, 0}
local taken, size, step = 0, 0, 1
while taken < count and size < room and answer[2] == 0 do
  local found = redis.pcall('LRANGE', key, -math.min(taken + step, count), -1 - taken)
  if found.err then return found end
  if #found == 0 then break end
  step = math.min(step * 2, 8)
  for i = #found, 1, -1 do
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
    end
    taken = taken + 1
  end
end
if size >= room then answer[2] = 1 end
local trimmed = redis.pcall('LTRIM', key, 0, -1 - taken)
if trimmed.err then return trimmed end
return answer
"""
"""As the script of `pop_commands`: how many were too large, whether it stopped for want of room, then entries."""


def look_command(queue: str, count: int, max_event_size: int) -> Command:
    """Takes what is there, without waiting."""
    return ("EVAL", _LOOK_AND_TAKE, 1, queue, count, BATCH_BYTES, max_event_size)


def wait_command(queue: str, seconds: float, count: int, has_blmpop: bool) -> Command:
    """Waits for an event; with BLMPOP takes up to `count`, else one."""
    if has_blmpop:
        return ("BLMPOP", seconds, 1, queue, "RIGHT", "COUNT", count)
    return ("BRPOP", queue, seconds)


def take_commands(queue: str, count: int, has_rpop_count: bool) -> list[Command]:
    """Takes up to `count` without waiting, by one command where Redis can; none for 0."""
    if not count:
        return []
    if has_rpop_count:
        return [("RPOP", queue, count)]
    return [("MULTI",), ("LRANGE", queue, -count, -1), ("LTRIM", queue, 0, -1 - count), ("EXEC",)]


def measure_commands(queue: str) -> list[Command]:
    """How much waits, all of it: Redis would measure the newest entries, which are the last to be popped."""
    return [("LLEN", queue), ("MEMORY", "USAGE", queue, "SAMPLES", 0)]


def read_looked(connection: RedisConnection, reply: Any) -> Popped:
    """What Redis answered to `look_command`. Raises `RedisError`."""
    raise_error(reply)
    if type(reply) is not list or not is_counts(reply[:2]) or not is_texts(reply[2:]):
        raise connection.distrust(f"{describe(reply)} to a pop")
    return Popped(reply[2:], reply[0], bool(reply[1]))


def read_waited(reply: Any) -> Batch:
    """What Redis answered to either form of `wait_command`. Raises `RedisReplyError`."""
    raise_error(reply)
    if reply is None:
        return []
    batch: Batch = reply[1] if type(reply[1]) is list else reply[1:]
    return batch


def read_taken(connection: RedisConnection, replies: Sequence[Any]) -> Batch:
    """What `take_commands` took, oldest first. Raises `RedisError`."""
    for reply in replies:
        raise_error(reply)
    if len(replies) < 2:  # RPOP, or nothing was asked
        return (replies[0] or []) if replies else []
    found = replies[-1]
    if found:
        raise_error(found[0])
    if not found or not is_texts(found[0]):
        raise connection.distrust(f"{describe(found)} to a pop")
    batch: Batch = found[0][::-1]
    return batch
