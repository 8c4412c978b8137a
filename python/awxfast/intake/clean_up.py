"""Removes from Redis what dead awxfast processes left there, and nothing else.

Until somebody does, every event to their groups is also copied into a queue that nobody reads, and nodes that were told
of these groups go on sending their events.
"""

import logging

from awxfast.errors import RedisReplyError
from awxfast.intake.announcements import Announcements
from awxfast.intake.names import CLEAN_UP_LOCK, ProcessNames, token_of_groups_key
from awxfast.intake.notice_writer import NoticeWriter
from awxfast.intake.processes import SUCCESSOR, ProcessIdentity
from awxfast.redis.commands import Argument, Command
from awxfast.redis.connection import RedisConnection
from awxfast.redis.group_writer import GroupWriter
from awxfast.wire.groups import is_valid_group

log = logging.getLogger(__name__)

LOCK_EXPIRY = 10
"""Seconds. The lock only saves work: two cleaners at once do no harm."""

SCAN_COUNT = 1_000


class Cleaner:
    """Looks for the dead on behalf of one living process."""

    def __init__(
        self,
        names: ProcessNames,
        identity: ProcessIdentity,
        writer: GroupWriter,
        apart: NoticeWriter | None = None,
    ) -> None:
        """`apart`: as `Announcements` has it."""
        self._names = names
        self._identity = identity
        self._writer = writer
        self._apart = apart
        self.cleaned = 0

    async def clean_with_lock(self, connection: RedisConnection) -> None:
        """The regular round, of whoever is first among all processes. Raises `RedisUnavailable`."""
        lock = ("SET", CLEAN_UP_LOCK, self._names.token, "NX", "EX", LOCK_EXPIRY)
        if (await connection.commands([lock]))[0] == b"OK":
            await self.clean(connection, also_expired=True)
            await connection.commands([("DEL", CLEAN_UP_LOCK)])

    async def clean(self, connection: RedisConnection, also_expired: bool) -> None:
        """Removes all of the processes of this host that are dead, and with `also_expired` of those whose key is gone.

        Soon after a reconnect keys may be gone only because their owners are not back yet. Raises `RedisUnavailable`.
        """
        try:
            for token in await find_tokens(connection) - {self._names.token}:
                await self._clean_one(connection, token, also_expired)
        except RedisReplyError as error:
            log.warning("can't remove what dead awxfast processes left in Redis: %s", error)

    async def _clean_one(self, connection: RedisConnection, token: str, also_expired: bool) -> None:
        """Watches the process key, so that one that comes back to life this moment keeps its names."""
        process_key = ProcessNames("", token).process_key
        _, fields = await connection.commands([("WATCH", process_key), ("HGETALL", process_key)])
        if isinstance(fields, RedisReplyError) or not self._is_dead(fields, also_expired):
            await connection.command("UNWATCH")
            return
        names = await self._names_of(connection, token)
        groups = await self._groups_of(connection, names)
        announcements = await self._announcements_of(connection, names)
        removals = await self._removals(connection, names, groups)
        if announcements is not None:
            removals += await announcements.commands(connection, groups, wanted=False)
        answers = await connection.commands([("MULTI",), *removals, ("EXEC",)])
        if isinstance(answers[-1], list):
            if announcements is not None:
                announcements.tell_apart(groups, wanted=False)
            self.cleaned += 1
            log.info("removed what a dead awxfast process (%s) left in Redis", token)

    def _is_dead(self, fields: list[bytes], also_expired: bool) -> bool:
        if not fields:
            return also_expired
        table = dict(zip(fields[::2], fields[1::2], strict=True))
        identity = ProcessIdentity.from_fields(table)
        if identity is None or not identity.is_dead_beside(self._identity):
            return False
        successor = ProcessIdentity.from_fields(table, SUCCESSOR)
        return successor is None or successor.is_dead_beside(self._identity)

    async def _names_of(self, connection: RedisConnection, token: str) -> ProcessNames:
        """Its names under its own prefix; ours, should it not have told."""
        prefix = await connection.command("GET", ProcessNames("", token).prefix_key)
        return ProcessNames(self._names.prefix if prefix is None else prefix.decode("utf-8", "replace"), token)

    async def _groups_of(self, connection: RedisConnection, names: ProcessNames) -> list[str]:
        members = await connection.command("SMEMBERS", names.groups_key)
        return [group for group in (member.decode("utf-8", "replace") for member in members) if is_valid_group(group)]

    async def _announcements_of(self, connection: RedisConnection, names: ProcessNames) -> Announcements | None:
        """How nodes are told, once, that the dead process wants nothing any more; None: they never heard of it."""
        backplane = (await connection.command("GET", names.announced_in_key) or b"").decode("utf-8", "replace")
        if not is_valid_group(backplane):
            return None
        return Announcements(names, backplane, self._writer.under(names.prefix), self._apart)

    async def _removals(self, connection: RedisConnection, names: ProcessNames, groups: list[str]) -> list[Command]:
        removals: list[Command] = []
        for group in {*groups, names.sentinel}:
            channels = await self._channels_in(connection, names, group)
            if channels:
                removals.append(("ZREM", names.group_key(group), *channels))
        return [*removals, ("DEL", *names.own_keys)]

    async def _channels_in(self, connection: RedisConnection, names: ProcessNames, group: str) -> list[Argument]:
        """The dead process's channels in a group. Where the name was numbered, only the group's key tells it."""
        local = names.local_of(group)
        if local is not None:
            return [names.channel(local)]
        own = names.non_local.encode()
        return [
            name for name in await connection.command("ZRANGE", names.group_key(group), 0, -1) if name.startswith(own)
        ]


async def find_tokens(connection: RedisConnection) -> set[str]:
    """Those of all awxfast processes that have registered groups, living or dead. Raises `RedisError`."""
    tokens = set()
    cursor: Argument = 0
    while True:
        cursor, keys = await connection.command(
            "SCAN", cursor, "MATCH", ProcessNames.GROUPS_PATTERN, "COUNT", SCAN_COUNT
        )
        tokens |= {token for token in map(token_of_groups_key, keys) if token}
        if cursor == b"0":
            return tokens
