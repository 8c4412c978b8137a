"""Keys that are this process's alone: one that somebody gave another type can't be used, and is made anew."""

import logging

from awxfast.redis.connection import RedisConnection

log = logging.getLogger(__name__)

_DELETE_OTHER_TYPE = b"""
local found = redis.call('TYPE', KEYS[1])['ok']
if found == 'none' or found == ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return 1
"""


async def delete_other_type(connection: RedisConnection, key: str, kind: str) -> None:
    """Deletes `key` unless it is of `kind`, as Redis' TYPE names it, in one step. Raises `RedisError`."""
    if await connection.command("EVAL", _DELETE_OTHER_TYPE, 1, key, kind) == 1:
        log.warning("the key %s had been overwritten with something that is no %s: it is made anew", key, kind)
