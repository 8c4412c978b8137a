"""What a process that died has left under the names that this one goes on with: its groups, and events that wait."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from awxfast.intake.announcements import Announcements
from awxfast.intake.drain import Drain
from awxfast.intake.groups import Groups
from awxfast.intake.names import ProcessNames
from awxfast.redis.commands import Command
from awxfast.redis.connection import RedisConnection
from awxfast.wire.groups import is_valid_group

COME_BACK_SECONDS = 3.0
"""How long events wait in Redis for the browsers of a process that died: pages open another websocket after one."""
LOOK_SECONDS = 0.1
"""Between two looks at whether so many wait that it must end before: a queue that is full loses what is newest."""


class Recovery:
    """Events wait for as long as browsers may come back, and not too many: then who has not come does not get them."""

    def __init__(self, groups: Groups, drain: Drain, depth: Callable[[], int], most_waiting: int) -> None:
        """`depth`: how many events wait; past `most_waiting` it ends before its time."""
        self._groups = groups
        self._drain = drain
        self._depth = depth
        self._most_waiting = most_waiting
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, left: Mapping[str, Any]) -> None:
        """`left`: what `take_left_groups` has found."""
        self._groups.inherit(left)
        if left["members"]:
            self._drain.begin_rest()
            self._look(asyncio.get_running_loop().time() + COME_BACK_SECONDS)

    def _look(self, end: float) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(LOOK_SECONDS, self._look, end)
        if loop.time() >= end or self._depth() > self._most_waiting:
            self.end()

    def end(self) -> None:
        """Who has not come back does not get what waited."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._groups.end_inheritance()
            self._drain.end_rest()


async def take_left_groups(
    connection: RedisConnection, names: ProcessNames, announcements: Announcements | None
) -> dict[str, Any]:
    """Its registrations, as `Groups.inherit` takes them. Raises `RedisError`.

    Those whose names are too long for a channel that tells them are removed: no browser of native mode has one, and
    nobody knows their channels any more. New ones for such names have numbers that no process had before.
    """
    found = await connection.command("SMEMBERS", names.groups_key)
    groups = [group for group in (one.decode("utf-8", "replace") for one in found) if is_valid_group(group)]
    named = {group: names.local_of(group) for group in groups if group != names.sentinel}
    await _remove(connection, names, announcements, [group for group, local in named.items() if local is None])
    return {
        "members": [[group, local, True] for group, local in named.items() if local is not None],
        "next": time.time_ns() // 1000,
    }


async def _remove(
    connection: RedisConnection, names: ProcessNames, announcements: Announcements | None, groups: Sequence[str]
) -> None:
    """Else every event to them would be copied into the queue for ever, and nodes would go on sending theirs."""
    if not groups:
        return
    keys = [names.group_key(group) for group in groups]
    replies = await connection.commands([("ZRANGE", key, 0, -1) for key in keys])
    own = names.non_local.encode()
    removals: list[Command] = []
    for key, reply in zip(keys, replies, strict=True):
        if isinstance(reply, list) and (channels := [name for name in reply if name.startswith(own)]):
            removals.append(("ZREM", key, *channels))
    farewells = []
    if announcements is not None:
        farewells = await announcements.commands(connection, groups, wanted=False)
    await connection.commands([*removals, ("SREM", names.groups_key, *groups), *farewells])
    if announcements is not None:
        announcements.tell_apart(groups, wanted=False)
