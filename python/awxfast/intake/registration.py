"""Keeps this process's names in Redis true: registers, renews, notices when they vanish, repairs, cleans up, leaves."""

import asyncio
import collections
import contextlib
import logging
import time

from awxfast.errors import RedisReplyError, RedisUnavailable
from awxfast.intake.announcements import Announcements
from awxfast.intake.clean_up import Cleaner
from awxfast.intake.event_taker import EventTaker
from awxfast.intake.gaps import most_events_in
from awxfast.intake.groups import Groups
from awxfast.intake.names import ProcessNames
from awxfast.intake.notice_writer import NoticeWriter
from awxfast.intake.own_keys import replace_other_types
from awxfast.intake.presence import Presence
from awxfast.intake.processes import ProcessIdentity
from awxfast.pauses import shorten_a_little
from awxfast.quiet_log import QuietLog
from awxfast.redis.address import RedisAddress
from awxfast.redis.commands import Command
from awxfast.redis.connection import RedisConnection
from awxfast.redis.group_writer import GroupWriter
from awxfast.redis.reconnect import KeptConnection, Outages
from awxfast.redis.server_facts import ServerFacts, ask_facts
from awxfast.wire.backplane import fingerprint_redis

log = logging.getLogger(__name__)

CHECK_INTERVAL = 1.0

CONFIRM_INTERVAL = 0.5
CONFIRMATIONS = 2
"""A wipe is a cursor that may still delete what was added while it runs: so many checks of all names must pass."""

RENEW_INTERVAL = 60.0
"""At most; a third of `group_expiry` when that is shorter. Also finds single names that vanished."""

CLEAN_INTERVAL = 60.0

LOOKS = 512
"""Single registrations that are looked at in a check."""

RETURN_DELAY = 15.0
"""Seconds that other hosts' processes get to come back after an outage before their names are removed."""

REDIS_NAMES = 8
"""Restarts of Redis that are remembered: another process may notice one earlier or later."""

EMPTY_QUEUE_STEPS = 100
"""Of 10 ms: how long the drain may take for what waits when the process leaves."""


class Registration:
    """One process's registrations, on a connection of their own. Plain attributes are for metrics."""

    def __init__(
        self,
        address: RedisAddress,
        names: ProcessNames,
        groups: Groups,
        gaps: EventTaker,
        outages: Outages,
        *,
        announcements: Announcements | None = None,
        writer: GroupWriter,
        apart: NoticeWriter | None = None,
        capacity: int,
        group_expiry: int,
        size: Command | None = None,
    ) -> None:
        """`size`: the command that asks how much waits in the queue; None: it is a sorted set."""
        self._database = address.db
        self._names = names
        self._groups = groups
        self._gaps = gaps
        self._capacity = capacity
        self._size = size or ("ZCARD", names.queue)
        self._kinds = names.kinds if announcements is None else {**names.kinds, names.announced_in_key: "string"}
        self._log = QuietLog(log)
        self._renew_interval = min(RENEW_INTERVAL, group_expiry / 3)
        identity = ProcessIdentity.own()
        self._cleaner = Cleaner(names, identity, writer, apart)
        self._presence = Presence(names, identity, announcements)
        self._kept = KeptConnection(address, "registrations", outages)
        self._connection: RedisConnection | None = None
        self._wake = asyncio.Event()
        self._stopping = self._has_arrived = False
        self._facts = ServerFacts()
        self._confirmations_left = 0
        self._arrivals = 0
        self._seen_at = self._renewed_at = time.monotonic()
        self._renew_at = self._clean_at = 0.0
        self.depth = self._former_depth = 0
        self.repaired = 0
        self.redis_names: collections.deque[str] = collections.deque(maxlen=REDIS_NAMES)
        """Fingerprints of the Redis that it registered with, the last at the end; empty where Redis does not say."""

    @property
    def up(self) -> bool:
        """Whether Redis holds this process's names, as far as is known."""
        return self._kept.up

    async def wait_up(self) -> None:
        """Returns when Redis holds this process's names."""
        await self._kept.wait_up()

    async def run(self) -> None:
        """Registers and stays registered until `request_stop`, whatever Redis does."""
        await self._kept.run(self._keep)

    def request_stop(self) -> None:
        """Makes `run` remove every trace of the process from Redis and return, provided that Redis is there."""
        self._stopping = True
        self._wake.set()

    async def name_successor(self, pid: int | None) -> None:
        """A process here is about to go on under this one's names; None: it is not. Raises `RedisError`."""
        self._presence.name_successor(pid)
        await self._presence.tell(self._connect())

    async def end_waiting(self, connection_id: int | None) -> None:
        """Ends the pop that another connection waits with, where Redis lets us. Raises `RedisUnavailable`."""
        if connection_id is not None:
            await self._connect().commands([("CLIENT", "UNBLOCK", connection_id)])

    async def settle(self) -> None:
        """Returns when Redis has answered for all that was sent up to now, and for what that led to."""
        await self._connect().settle()

    def _connect(self) -> RedisConnection:
        if self._stopping:  # what is said now may follow the deletion of all
            raise RedisUnavailable("the process leaves Redis")
        if self._connection is None or not self.up:
            raise RedisUnavailable("Redis is away")
        return self._connection

    async def _keep(self, connection: RedisConnection) -> None:
        self._connection = connection
        self._presence.begin()
        connection.lost.add_done_callback(lambda _: self._wake.set())
        self._has_arrived = False
        try:
            await self._note_server(connection)
            await self._take_care(connection)
            while not self._stopping:
                await self._pause()
                if not self._stopping:
                    await self._take_care(connection)
            if self._has_arrived:
                await self._depart(connection)
        finally:
            self._connection = None
            self._groups.detach()

    async def _take_care(self, connection: RedisConnection) -> None:
        """A Redis that refuses is asked again; one that is no master any more is looked up anew by its name."""
        try:
            if not self._has_arrived:
                await self._arrive(connection)
            else:
                await self._check(connection)
                self._works()
                await self._clean_when_due(connection)
        except RedisReplyError as refusal:
            error = await self._kept.explain(refusal)
            self._groups.refuse(error)
            if error.code == "READONLY":
                self._groups.tell_refused()  # whoever has waited long enough does not wait for the next connection
                raise
            self._kept.refuse(error)
        self._groups.tell_refused()

    def _works(self) -> None:
        self._groups.refuse(None)
        self._kept.works()

    async def _note_server(self, connection: RedisConnection) -> None:
        self._facts = facts = await ask_facts(connection)
        name = fingerprint_redis(facts.run_id, self._database, self._names.prefix) if facts.run_id else ""
        if name not in self.redis_names:
            self.redis_names.append(name)
        # A Redis that was not running took no events that could be lost.
        up_since = time.monotonic() - facts.uptime - CHECK_INTERVAL
        self._seen_at = max(self._seen_at, up_since)
        self._renewed_at = max(self._renewed_at, up_since)

    async def _arrive(self, connection: RedisConnection) -> None:
        """Own process key first, so that nobody takes us for dead; then all names, then other processes' remains."""
        await replace_other_types(connection, self._kinds, self._log)
        await self._presence.tell(connection)
        if not self._groups.is_attached:
            self._groups.attach(connection)
        self._renew_at = 0.0
        await self._check(connection)
        self._works()
        self._has_arrived = True
        also_expired = self._arrivals == 0 and self._facts.uptime >= RETURN_DELAY
        self._arrivals += 1
        await self._cleaner.clean(connection, also_expired)
        self._clean_at = time.monotonic() + (shorten_a_little(CLEAN_INTERVAL) if also_expired else RETURN_DELAY)

    async def _pause(self) -> None:
        seconds = CONFIRM_INTERVAL if self._confirmations_left else min(CHECK_INTERVAL, self._renew_interval / 2)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()

    async def _check(self, connection: RedisConnection) -> None:
        last_seen_at = self._seen_at
        if not await self._look(connection):
            await self._presence.tell(connection)
            self._groups.forget_answers()
            await self._renew(last_seen_at)
        elif self._confirmations_left or time.monotonic() >= self._renew_at or await self._groups.count_vanished(LOOKS):
            await self._renew(self._renewed_at)
        else:
            await self._groups.register_refused()
        if self._presence.is_due:
            await self._presence.tell(connection)

    async def _look(self, connection: RedisConnection) -> bool:
        """Whether our own keys are there, and can be written to; also how much waits in the queue.

        The question for the sentinel is a write that changes nothing, so that a Redis that would refuse one is known
        before anybody subscribes.
        """
        sentinel = self._names.sentinel
        are_whole = await replace_other_types(connection, self._kinds, self._log)
        score, depth = await connection.commands(
            [
                ("ZADD", self._names.group_key(sentinel), "XX", "INCR", 0, self._names.channel(f"g.{sentinel}")),
                self._size,
            ]
        )
        if isinstance(score, RedisReplyError):
            raise score
        self._former_depth = self.depth
        self._note_depth(depth)
        return are_whole and score is not None

    def _note_depth(self, depth: object) -> None:
        unwatched = time.monotonic() - self._seen_at
        self._seen_at += unwatched
        self.depth = depth if isinstance(depth, int) else 0  # of another type: the drain replaces it
        if self.depth >= self._capacity:  # producers throw their newest events away without a word
            self._gaps.count_gap("queue_full", most_events_in(unwatched))

    async def _renew(self, watched_until: float) -> None:
        """Registers all again. What had vanished since `watched_until` cost the events of that time."""
        vanished = await self._groups.register_all()
        self._renewed_at = time.monotonic()
        self._renew_at = self._renewed_at + shorten_a_little(self._renew_interval)
        if not vanished:
            self._confirmations_left = max(0, self._confirmations_left - 1)
            return
        self._confirmations_left = CONFIRMATIONS
        self.repaired += vanished
        # The queue may be gone as well: a flush takes it, and AWX's wipe does where it is a list.
        self._gaps.count_gap("wiped", self._former_depth + most_events_in(self._renewed_at - watched_until))
        log.warning(
            "%d registrations had vanished from Redis (somebody deleted %s:*, flushed or restarted it): added again",
            vanished,
            self._names.prefix.removesuffix(":"),
        )

    async def _clean_when_due(self, connection: RedisConnection) -> None:
        if time.monotonic() >= self._clean_at:
            self._clean_at = time.monotonic() + shorten_a_little(CLEAN_INTERVAL)
            await self._cleaner.clean_with_lock(connection)

    async def _depart(self, connection: RedisConnection) -> None:
        """Leaves, gives the drain a moment to take what producers had already sent, and deletes what is left."""
        await self._groups.leave_all()
        for _ in range(EMPTY_QUEUE_STEPS):
            if not await connection.command(*self._size):
                break
            await asyncio.sleep(0.01)
        await connection.command("DEL", *self._names.own_keys)
