"""The scripts of a `group_send`, by the form of the layer; and those for queues that are lists, as in channels_redis 2.

They take the arguments of `group_send`'s, of which lists need neither scores nor the age of the oldest entry.
"""

from typing import NamedTuple

from awxfast.wire.group_send import FIND_QUEUES, SEND_MANY, SEND_ONE, Script

LIST_SEND_ONE = Script.of(
    FIND_QUEUES,
    b"""
local prefix, group, oldest_member, _, expiry, capacity, _, entry = unpack(ARGV)
local key = prefix .. ':group:' .. group
redis.call('ZREMRANGEBYSCORE', key, 0, oldest_member)
local queues, channels = find_queues(redis.call('ZRANGE', key, 0, -1))
local full = 0
for _, name in ipairs(queues) do
  local queue = prefix .. name
  if redis.call('LLEN', queue) < tonumber(capacity) then
    redis.call('LPUSH', queue, entry .. cmsgpack.pack(channels[name]))
    redis.call('EXPIRE', queue, expiry)
  else
    full = full + 1
  end
end
return {full, #queues}
""",
)
"""One message; the answer is that of `SEND_ONE`."""

LIST_SEND_MANY = Script.of(
    FIND_QUEUES,
    b"""
local prefix, own = ARGV[1], ARGV[2]
local expiry, capacity = ARGV[3], tonumber(ARGV[5])
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
  local size = redis.pcall('LLEN', key)
  local queue = {key = key, size = size, add = {}}
  if type(size) ~= 'number' then queue.size = capacity end
  queues[name] = queue
  order[#order + 1] = queue
  return queue
end
for i = 6, #ARGV, 3 do
  local group, entry = ARGV[i], ARGV[i + 2]
  if not takers[group] then takers[group] = find_takers(group) end
  local taken = 0
  for _, taker in ipairs(takers[group]) do
    local queue = queues[taker[1]] or open_queue(taker[1])
    if queue.size < capacity then
      queue.size = queue.size + 1
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
    redis.call('LPUSH', queue.key, unpack(queue.add, from, math.min(from + 999, #queue.add)))
  end
  if #queue.add > 0 then redis.call('EXPIRE', queue.key, expiry) end
end
answers[#answers + 1] = full
return answers
""",
)
"""Messages in their order; the answer is that of `SEND_MANY`."""


class SendScripts(NamedTuple):
    """Writes one message, and many."""

    one: Script
    many: Script


SEND_SCRIPTS = {"core": SendScripts(SEND_ONE, SEND_MANY), "lists": SendScripts(LIST_SEND_ONE, LIST_SEND_MANY)}
"""By the form of the layer (`LayerSettings.layer`)."""
