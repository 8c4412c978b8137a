"""What a process that died has left under the names that this one goes on with: its groups, and events that wait."""

import time
from typing import Any

from awxfast.intake.names import ProcessNames
from awxfast.redis.connection import RedisConnection
from awxfast.wire.groups import is_valid_group

COME_BACK_SECONDS = 3.0
"""How long events wait in Redis for the browsers of a process that died: pages open another websocket after one."""


async def find_left_groups(connection: RedisConnection, names: ProcessNames) -> dict[str, Any]:
    """Its registrations, as `Groups.inherit` takes them. Raises `RedisError`.

    Those whose names are too long for a channel that tells them are left out: no browser of native mode has one. New
    channels for such names have numbers that no process had before.
    """
    found = await connection.command("SMEMBERS", names.groups_key)
    groups = [group for group in (one.decode("utf-8", "replace") for one in found) if is_valid_group(group)]
    named = [(group, names.local_of(group)) for group in groups if group != names.sentinel]
    return {
        "members": [[group, local, True] for group, local in named if local is not None],
        "next": time.time_ns() // 1000,
    }
