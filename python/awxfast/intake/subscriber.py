"""Reads what is published for this process's groups, on a connection that subscribes and does nothing else.

Whatever is published while there is no such connection is lost: nobody stores it. How long that was is known by the
last command that was answered, since answers stand in line with messages: what was published before it has come.
"""

import asyncio
import base64
import collections
import contextlib
import logging
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any

from awxfast.errors import RedisReplyError, RedisUnavailable
from awxfast.intake.event_taker import EventTaker
from awxfast.intake.gaps import most_published_in
from awxfast.intake.groups import Groups
from awxfast.intake.names import ProcessNames
from awxfast.intake.pace import Pace
from awxfast.intake.push_backlog import PushBacklog
from awxfast.intake.registration import REDIS_NAMES
from awxfast.redis.address import RedisAddress
from awxfast.redis.connection import RedisConnection
from awxfast.redis.login import keep_watch, open_connection
from awxfast.redis.push_connection import Message, PushConnection, adopt_connection
from awxfast.redis.reconnect import KeptConnection, Outages
from awxfast.redis.server_facts import ask_facts
from awxfast.wire.backplane import fingerprint_redis
from awxfast.wire.group_channels import begin_of_channels, escape_pattern, group_channel

log = logging.getLogger(__name__)

CHECK_INTERVAL = 1.0
PATIENCE = 10.0
"""Seconds after which a connection that does not answer counts as dead."""
REPLY_SPARE = 50_331_648
"""Bytes of a message past `max_event_size`: one somewhat above that is read and rejected, and costs no other."""
FULL_READ = 200_000
"""Bytes of a read behind which more waits: no pause follows it."""


class Subscriber:
    """Stays subscribed to the process's groups. Plain attributes are for metrics."""

    def __init__(
        self,
        address: RedisAddress,
        names: ProcessNames,
        groups: Groups,
        backlog: PushBacklog,
        gaps: EventTaker,
        outages: Outages,
        pace: Pace,
        max_event_size: int,
        *,
        has_channels: bool,
    ) -> None:
        self._address = address
        self._names = names
        self._groups = groups
        self._backlog = backlog
        self._gaps = gaps
        self._pace = pace
        self._has_channels = has_channels
        self._reply_limit = max_event_size + REPLY_SPARE
        self._kept = KeptConnection(address, "subscriptions", outages, connect=self._connect)
        self._connection: PushConnection | None = None
        self._left: tuple[socket.socket, bytes] | None = None
        self._pausing: asyncio.TimerHandle | None = None
        self._wake = asyncio.Event()
        self._stopping = self._rests = False
        self._watched_until: float | None = None
        """Up to then nothing can be missing (monotonic); None: it has never been subscribed."""
        self.redis_names: collections.deque[str] = collections.deque(maxlen=REDIS_NAMES)
        """As `Registration.redis_names`. Databases mean nothing to what is published."""
        self.repaired = 0

    @property
    def up(self) -> bool:
        """Whether Redis has confirmed all subscriptions."""
        return self._kept.up

    @property
    def connection(self) -> PushConnection | None:
        """The one that is subscribed, if there is one."""
        return self._connection if self.up else None

    async def wait_up(self) -> None:
        """Returns when Redis has confirmed all subscriptions."""
        await self._kept.wait_up()

    async def run(self) -> None:
        """Subscribes and stays subscribed until `request_stop`, whatever Redis does."""
        await self._kept.run(self._keep)

    def request_stop(self) -> None:
        """Makes `run` end all subscriptions and return, provided that Redis is there."""
        self._stopping = True
        self._wake.set()

    async def settle(self) -> None:
        """Returns when Redis has answered for all that was sent up to now. Raises `RedisUnavailable`."""
        if self.connection is None:
            raise RedisUnavailable("Redis is away")
        await self.connection.settle()

    # From one process to the next

    def begin_rest(self) -> None:
        """Reads and says nothing from now on: another process is to go on with the connection."""
        self._rests = True
        self._end_pause()
        self._groups.begin_silence()
        if self._connection is not None:
            self._connection.pause_reading()

    def end_rest(self) -> None:
        """Nobody else goes on with it."""
        if not self._rests:
            return
        self._rests = False
        if self._connection is not None:
            self._groups.attach(self._connection)
            self._connection.resume_reading()

    @property
    def descriptors(self) -> Sequence[int]:
        """The connection's, if it can be passed on."""
        descriptor = self._connection.descriptor if self._connection is not None else None
        return [descriptor] if descriptor is not None else []

    def freeze(self) -> dict[str, Any]:
        """What the other process needs besides it, as JSON has it."""
        unread = self._connection.unread if self._connection is not None else b""
        return {
            "repaired": self.repaired,
            "redis_names": [*self.redis_names],
            "unread": base64.b64encode(unread).decode(),
            "watched_until": self._watched_until,
            "passed": bool(self.descriptors),
        }

    def inherit(self, frozen: Mapping[str, Any], sock: socket.socket | None) -> None:
        """What `freeze` and `descriptors` gave there, before `run`."""
        self.repaired = frozen["repaired"]
        self.redis_names.extend(frozen["redis_names"])
        self._watched_until = frozen["watched_until"]
        if sock is not None:
            self._left = sock, base64.b64decode(frozen["unread"])

    @property
    def is_heir(self) -> bool:
        """Whether there is such a connection, and it is not used yet."""
        return self._left is not None

    def _end_pause(self) -> None:
        if self._pausing is not None:
            self._pausing.cancel()
            self._pausing = None

    async def _connect(self) -> RedisConnection:
        left, self._left = self._left, None
        if left is None:
            return await open_connection(
                self._address, patience=PATIENCE, reply_limit=self._reply_limit, kind=PushConnection
            )
        sock, unread = left

        def make() -> PushConnection:
            connection = PushConnection(str(self._address), PATIENCE, self._reply_limit)
            self._begin_pushes(connection, unread)
            return connection

        try:
            connection = await adopt_connection(sock, make)
        except OSError as error:
            raise RedisUnavailable(f"Redis at {self._address}: its connection can't be taken over: {error}") from error
        keep_watch(self._address, connection)
        return connection

    def _begin_pushes(self, connection: PushConnection, unread: bytes = b"") -> None:
        prefix = self._names.prefix
        own = begin_of_channels(prefix, self._names.token)
        connection.begin_pushes(group_channel(prefix, ""), own, self._receive, unread)

    async def _keep(self, connection: RedisConnection) -> None:
        assert isinstance(connection, PushConnection)
        self._connection = connection
        connection.lost.add_done_callback(lambda _: self._wake.set())
        try:
            if not connection.is_inherited:
                await self._note_server(connection)
                self._begin_pushes(connection)
            self._groups.attach(connection)
            await self._subscribe(connection)
            while not self._stopping:
                await self._pause()
                if connection.lost.done():
                    raise connection.lost.result()
                if not (self._stopping or self._rests):
                    await self._check(connection)
            await self._groups.leave_all()
        finally:
            self._end_pause()
            self._connection = None
            self._groups.detach()

    async def _note_server(self, connection: PushConnection) -> None:
        facts = await ask_facts(connection)
        name = fingerprint_redis(facts.run_id, 0, group_channel(self._names.prefix, "")) if facts.run_id else ""
        if name not in self.redis_names:
            self.redis_names.append(name)
        if self._watched_until is not None:  # a Redis that was not running published nothing
            self._watched_until = max(self._watched_until, time.monotonic() - facts.uptime - CHECK_INTERVAL)

    async def _subscribe(self, connection: PushConnection) -> None:
        """To all groups, and to the channels of this process; then counts what may be lost of former ones."""
        former = self._groups.known
        asked_at = time.monotonic()
        try:
            if self._has_channels:
                pattern = escape_pattern(begin_of_channels(self._names.prefix, self._names.token)) + "*"
                await connection.command("PSUBSCRIBE", pattern)
            await self._groups.register_all()
        except RedisReplyError as error:
            self._groups.refuse(error)
            self._groups.tell_refused()
            raise
        self._groups.refuse(None)
        if not connection.is_inherited and self._watched_until is not None and former:
            self._count_missed(former)
        self._watched_until = asked_at
        self._kept.works()

    def _count_missed(self, groups: int) -> None:
        assert self._watched_until is not None
        seconds = time.monotonic() - self._watched_until
        self.repaired += groups
        self._gaps.count_gap("unsubscribed", most_published_in(seconds), groups)
        log.warning(
            "%d groups were not subscribed to for up to %.1f s: what was published for them meanwhile is lost",
            groups,
            seconds,
        )

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CHECK_INTERVAL):
                await self._wake.wait()
        self._wake.clear()

    async def _check(self, connection: PushConnection) -> None:
        """Whether it is there still, and up to when nothing can be missing."""
        asked_at = time.monotonic()
        await connection.ask_for_life()
        self._watched_until = asked_at
        await self._groups.register_refused()
        self._groups.tell_refused()

    def _receive(self, messages: list[Message]) -> None:
        """A hot stream, read at once, comes one message at a time and burns a core."""
        self._backlog.put(messages)
        connection = self._connection
        if connection is None or self._pausing is not None or self._rests:
            return
        is_full = connection.read_size > FULL_READ
        if pause := self._pace.pause_after(len(messages), is_full, time.monotonic()):
            connection.pause_reading()
            self._pausing = asyncio.get_running_loop().call_later(pause, self._read_on, connection)

    def _read_on(self, connection: PushConnection) -> None:
        self._pausing = None
        connection.resume_reading()
