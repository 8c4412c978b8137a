"""Whether the producers on a Redis speak another form of the core layer than this process was told."""

import logging

from awxfast.errors import RedisReplyError
from awxfast.redis.commands import Argument
from awxfast.redis.connection import RedisConnection

log = logging.getLogger(__name__)

SCAN_COUNT = 1_000
SCANS = 50
"""Of so many keys each: a Redis that holds more than layers is not read to its end for a hint."""

_OWN = "awxfast-sentinel."


async def warn_of_other_form(connection: RedisConnection, layer: str, prefix: str) -> None:
    """Says what to give where only groups of the other form stand. Raises `RedisUnavailable`.

    `asgi::group:...` is a group whose queues are lists, `asgi:group:...` one whose queues are sorted sets.
    """
    bare = prefix.removesuffix(":")
    keys = {"core": f"{bare}:group:", "lists": f"{bare}::group:"}
    own, other = layer, "lists" if layer == "core" else "core"
    if own not in keys or prefix != {"core": bare, "lists": f"{bare}:"}[own]:
        return  # with a prefix of its own making the keys of both look alike
    try:
        stands_alone = await stands_alone_there(connection, keys[other], keys[own], f"{bare}:*group:*")
    except RedisReplyError:
        return
    if stands_alone:
        log.warning(
            "groups of producers stand under %s in Redis, none under %s: is the layer %s? Then give --layer %s",
            f"{keys[other]}*",
            f"{keys[own]}*",
            "that of channels_redis 2" if other == "lists" else "that of channels_redis 3 or 4",
            other,
        )


async def stands_alone_there(connection: RedisConnection, other: str, own: str, pattern: str) -> bool:
    """Whether groups begin with `other`, and none, but for awxfast's own, with `own`. Raises `RedisError`.

    The first of one's own settles it: most starts need not read further.
    """
    has_other = False
    cursor: Argument = 0
    for _ in range(SCANS):
        cursor, keys = await connection.command("SCAN", cursor, "MATCH", pattern, "COUNT", SCAN_COUNT)
        found = [key for key in (one.decode("utf-8", "replace") for one in keys) if f":{_OWN}" not in key]
        if any(key.startswith(own) for key in found):
            return False
        has_other = has_other or any(key.startswith(other) for key in found)
        if cursor == b"0":
            break
    return has_other
