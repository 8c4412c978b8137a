"""Keys that are this process's alone: one that somebody gave another type can't be used, and is made anew."""

from collections.abc import Mapping

from awxfast.errors import RedisReplyError
from awxfast.quiet_log import QuietLog
from awxfast.redis.connection import RedisConnection

_DELETE_OTHER_TYPE = b"""
local found = redis.call('TYPE', KEYS[1])['ok']
if found == 'none' or found == ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return 1
"""


async def delete_other_type(connection: RedisConnection, key: str, kind: str, log: QuietLog) -> None:
    """Deletes `key` unless it is of `kind`, as Redis' TYPE names it, in one step. Raises `RedisError`.

    Whoever can write into Redis can do it again at once, for as long as he likes.
    """
    if await connection.command("EVAL", _DELETE_OTHER_TYPE, 1, key, kind) == 1:
        log.warn(key, f"the key {key} had been overwritten with something that is no {kind}: it is made anew")


async def replace_other_types(connection: RedisConnection, kinds: Mapping[str, str], log: QuietLog) -> bool:
    """Whether all keys were there, each of its type in `kinds`. Those of another type go. Raises `RedisError`."""
    types = await connection.commands([("TYPE", key) for key in kinds])
    for (key, kind), found in zip(kinds.items(), types, strict=True):
        if isinstance(found, bytes) and found not in (b"none", kind.encode()):
            await delete_other_type(connection, key, kind, log)
    return all(
        isinstance(found, RedisReplyError) or found == kind.encode()
        for kind, found in zip(kinds.values(), types, strict=True)
    )
