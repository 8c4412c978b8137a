"""Members from AWX's database: the table of instances, polled, and the heartbeats of web nodes, by LISTEN.

While the database is away the members stay as they were, and so do the links. psycopg is an extra of the package
(`awxfast[postgres]`); AWX's own environment has it.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from awxfast.broadcast.era import Era
from awxfast.broadcast.target import Member
from awxfast.errors import ConfigurationError
from awxfast.pauses import Pauses
from awxfast.printable import escape

if TYPE_CHECKING:
    from psycopg import AsyncConnection

log = logging.getLogger(__name__)

CHANNELS = ("web_ws_heartbeat", "web_heartbeet")
"""AWX 22.4 on, and 22.0 to 22.3."""
POLL_INTERVAL = 10.0
"""Seconds between two looks at the instances, as AWX's."""
CONNECT_TIMEOUT = 10.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0
"""Seconds between tries to connect: members are current 15 s after the database is back, a heartbeat's interval."""
HANDOVER = 30.0
"""Seconds from the first heartbeat until instances count no more: by then each web node has sent two."""
MAX_MEMBERS = 1000
MAX_NAME = 255
SILENCE = 60.0
"""Seconds, four heartbeats, after which a node that is in no table of instances gives its place to a new one if all are
taken. Whoever may NOTIFY can invent any number of nodes."""
COLLECT = 0.05
"""Seconds in which heartbeats are collected before somebody is told: each time all peers are looked at."""

# Columns that older versions lack (node_type before 19.4, ip_address before 12.0) come as null.
_INSTANCES = """
SELECT hostname, to_jsonb(main_instance) ->> 'ip_address' FROM main_instance
WHERE coalesce(to_jsonb(main_instance) ->> 'node_type', '') NOT IN ('execution', 'hop') ORDER BY hostname
"""

Take = Callable[[list[Member]], None]


class PostgresMembers:
    """Tells `take_instances` and `take_heartbeats` who there is, whenever that changes."""

    def __init__(self, dsn: str, port: int, era: Era | None, take_instances: Take, take_heartbeats: Take) -> None:
        check_dsn(dsn)
        self._dsn = dsn
        self._era = era
        self._take_instances = take_instances
        self._take_heartbeats = take_heartbeats
        self._heartbeats = Heartbeats(port, self._note_heartbeats)
        self._online: list[Member] | None = None
        self._port = port
        self._broken: set[str] = set()
        self.first_look = asyncio.Event()
        """Set when the database was asked once, whether or not it answered."""

    async def run(self) -> None:
        """Until it is cancelled, whatever the database does."""
        async with asyncio.TaskGroup() as tasks:
            if self._era is not Era.BROADCAST:
                tasks.create_task(self._keep("heartbeats", self._listen), name="heartbeats")
            tasks.create_task(self._keep("instances", self._poll), name="instances")

    async def _keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Until `work` returns; what breaks is tried again."""
        from psycopg import Error

        pauses = Pauses(FIRST_PAUSE, LONGEST_PAUSE)
        while True:
            begun = time.monotonic()
            try:
                return await work()
            except (Error, OSError, TimeoutError) as error:
                self._note_away(name, error)
            if time.monotonic() - begun > CONNECT_TIMEOUT + LONGEST_PAUSE:
                pauses.begin_again()
            await asyncio.sleep(pauses.take())

    async def _listen(self) -> None:
        async with await connect(self._dsn) as connection:
            for channel in CHANNELS:
                await connection.execute(f"LISTEN {channel}")
            self._note_back("heartbeats")
            async for notification in connection.notifies():
                self._heartbeats.receive(notification.payload)

    async def _poll(self) -> None:
        """Until heartbeats tell better who there is: from AWX 22 on instances need not be web nodes.

        Where heartbeats are crowded the instances still say who of them is real.
        """
        while True:
            counts = self._instances_count()
            if counts or self._heartbeats.is_crowded:
                instances = await self._read_instances()
                self._heartbeats.known = frozenset(member.name for member in instances)
                self._take_instances(instances if counts else [])
            elif self._era is None:
                self._take_instances([])
            self._note_back("instances")
            await asyncio.sleep(POLL_INTERVAL)

    def _instances_count(self) -> bool:
        if self._era is None:
            return self._heartbeats.heard_for <= HANDOVER
        return self._era is Era.BROADCAST

    async def _read_instances(self) -> list[Member]:
        async with await connect(self._dsn) as connection, asyncio.timeout(CONNECT_TIMEOUT):
            cursor = await connection.execute(_INSTANCES)
            return read_instances(await cursor.fetchall(), self._port)

    def freeze(self) -> dict[str, Any]:
        """Who was heard of, for another process."""
        return self._heartbeats.freeze()

    def inherit(self, frozen: Mapping[str, Any]) -> None:
        """What `freeze` gave in the process before this one."""
        self._heartbeats.inherit(frozen)

    def _note_heartbeats(self, members: list[Member]) -> None:
        if self._online is None:
            asyncio.get_running_loop().call_later(COLLECT, self._tell_heartbeats)
        self._online = members

    def _tell_heartbeats(self) -> None:
        members, self._online = self._online, None
        assert members is not None
        self._take_heartbeats(members)

    def _note_away(self, name: str, error: BaseException) -> None:
        self.first_look.set()
        if not self._broken:
            reason = escape(" ".join(str(error).split())) or type(error).__name__
            log.warning("PostgreSQL is away: %s; peers stay as they are, trying again", reason)
        self._broken.add(name)

    def _note_back(self, name: str) -> None:
        if name != "instances" or self._era is not Era.RELAY:
            self.first_look.set()
        if name in self._broken:
            self._broken.remove(name)
            if not self._broken:
                log.warning("PostgreSQL is back")

    @property
    def away(self) -> bool:
        """Whether the database did not answer when last asked."""
        return bool(self._broken)


class Heartbeats:
    """Who is online, as the web nodes say themselves. Silence is never taken for offline: AWX does not either."""

    def __init__(self, port: int, take: Take, now: Callable[[], float] = time.monotonic) -> None:
        self._port = port
        self._take = take
        self._now = now
        self._first: float | None = None
        self._members: dict[str, Member] = {}
        self._heard: dict[str, float] = {}  # in the order of time
        self.known: frozenset[str] = frozenset()
        """Names in the table of instances: these always find a place."""
        self.ignored = 0

    @property
    def heard_for(self) -> float:
        """Seconds since the first heartbeat; 0.0 before."""
        return self._now() - self._first if self._first is not None else 0.0

    @property
    def is_crowded(self) -> bool:
        """Whether all places are taken."""
        return len(self._members) >= MAX_MEMBERS

    def freeze(self) -> dict[str, Any]:
        """Who is online and since when that was known, as JSON has it; times are the machine's (monotonic)."""
        members = [(one.name, one.host, self._heard[one.name]) for one in self._members.values()]
        return {"first": self._first, "members": members}

    def inherit(self, frozen: Mapping[str, Any]) -> None:
        """What `freeze` gave in the process before this one. Whoever was to be told then is told now."""
        self._first = frozen["first"]
        for name, host, heard in sorted(frozen["members"], key=lambda member: member[2]):
            self._members[name] = Member(name, host, self._port)
            self._heard[name] = heard
        if self._members:
            self._take(list(self._members.values()))

    def receive(self, payload: str) -> None:
        """One heartbeat: `{"hostname": .., "ip": .. or null, "action": "online" or "offline"}`."""
        try:
            said = orjson.loads(payload)
            name, host, action = said["hostname"], said.get("ip") or said["hostname"], said["action"]
        except (orjson.JSONDecodeError, TypeError, KeyError, AttributeError):
            name = host = action = None
        if not (is_name(name) and is_name(host)) or action not in ("online", "offline"):
            self.ignored += 1
        elif action == "online":
            self._note_online(Member(name, host, self._port))
        elif name in self._members:
            self._forget(name)
            self._take(list(self._members.values()))

    def _note_online(self, member: Member) -> None:
        if self._first is None:
            self._first = self._now()
        if member.name not in self._members and self.is_crowded and not self._make_room(member.name):
            self.ignored += 1
            return
        self._heard.pop(member.name, None)
        self._heard[member.name] = self._now()
        if self._members.get(member.name) != member:
            self._members[member.name] = member
            self._take(list(self._members.values()))

    def _make_room(self, name: str) -> bool:
        """In place of who was silent for longest, if that is long or `name` is known to be real."""
        oldest = next((one for one in self._heard if one not in self.known), None)
        if oldest is None or (name not in self.known and self._now() - self._heard[oldest] < SILENCE):
            return False
        self._forget(oldest)
        return True

    def _forget(self, name: str) -> None:
        del self._members[name]
        del self._heard[name]


def is_name(text: object) -> bool:
    """Whether it can be a node's name or address at all."""
    return isinstance(text, str) and 0 < len(text) <= MAX_NAME


def read_instances(rows: Iterable[tuple[str, str | None]], port: int) -> list[Member]:
    """The members among the rows of the table."""
    return [Member(hostname, address or hostname, port) for hostname, address in rows][:MAX_MEMBERS]


def check_dsn(dsn: str) -> None:
    """Raises `ConfigurationError` when there is no psycopg, or the string is not libpq's; it is not repeated."""
    try:
        from psycopg import ProgrammingError, conninfo
    except ImportError as error:
        raise ConfigurationError("--postgres needs psycopg 3: pip install 'awxfast[postgres]'") from error
    with contextlib.suppress(ProgrammingError):
        conninfo.conninfo_to_dict(dsn)
        return
    raise ConfigurationError("--postgres: it is not a connection string of libpq, as in 'host=db user=awx dbname=awx'")


async def connect(dsn: str) -> "AsyncConnection":
    """A connection whose silent loss the kernel notices within 30 s. Raises `TimeoutError` and psycopg's errors."""
    from psycopg import AsyncConnection

    async with asyncio.timeout(CONNECT_TIMEOUT):
        return await AsyncConnection.connect(
            dsn,
            autocommit=True,
            connect_timeout=5,
            application_name="awxfast-broadcast",
            keepalives=1,
            keepalives_idle=5,
            keepalives_interval=5,
            keepalives_count=5,
        )
