"""Takes events out of the process's queue, in batches, on a connection that does nothing else."""

import asyncio
import logging
import math
import time
from typing import Any

from awxfast.errors import RedisReplyError, RedisUnavailable
from awxfast.intake.caught_up import CaughtUp
from awxfast.intake.event_taker import EventTaker
from awxfast.intake.gaps import most_events_in
from awxfast.intake.own_keys import delete_other_type
from awxfast.intake.pace import Pace
from awxfast.intake.pop_commands import Batch
from awxfast.intake.queue_pops import BLOCK, QueuePops, SortedSetPops
from awxfast.quiet_log import QuietLog
from awxfast.redis.address import RedisAddress
from awxfast.redis.commands import Command
from awxfast.redis.connection import RedisConnection
from awxfast.redis.reconnect import KeptConnection, Outages
from awxfast.redis.server_facts import ask_connection_id, ask_facts
from awxfast.settings import MAX_EVENT_SIZE

log = logging.getLogger(__name__)

BATCH = 256
"""Events a pop: what a connection that breaks between pop and reply costs at most."""

HELD_BATCH = 64
"""The same after a hold: readers that are behind get what they can take soon, not a queue."""

OVERDUE = 5
"""Seconds past `BLOCK` after which the connection counts as dead."""

LARGE = 2_097_152
"""Bytes of a batch after which the next pop looks at lengths first."""

NEAR = 0.02
"""Seconds since the last pop was sent in which not much can have come, so that the next one need not look."""

REPLY_SPARE = 50_331_648
"""Bytes of a reply past `max_event_size`: an event somewhat above that is read and rejected, and costs no other."""


class Drain:
    """Pops one queue for ever. Plain attributes are counters for metrics."""

    def __init__(
        self,
        address: RedisAddress,
        queue: str,
        publisher: EventTaker,
        outages: Outages,
        expiry: int,
        pace: Pace | None = None,
        max_event_size: int = MAX_EVENT_SIZE,
        caught_up: CaughtUp | None = None,
        pops: QueuePops | None = None,
    ) -> None:
        """`caught_up`: tells that `publisher` may be asked again whether to wait. `pops`: of a sorted set if None."""
        self._queue = queue
        self._publisher = publisher
        self._caught_up = caught_up or CaughtUp()
        self._expiry = expiry
        self._pops = pops or SortedSetPops(queue, max_event_size)
        reply_limit = max_event_size + REPLY_SPARE
        self._kept = KeptConnection(address, "drain", outages, patience=BLOCK + OVERDUE, reply_limit=reply_limit)
        self._pace = pace or Pace()
        self._log = QuietLog(log)
        self._may_look = self._may_measure = True
        self._asked = BATCH
        self._asked_at = -math.inf
        self._looks = self._waits = False
        self._measures: list[Command] = []
        self._is_full = self._is_large = self._fits = False
        self._came = 0
        self._pop_outstanding = False
        self._unread_since: float | None = None
        self._rests = False
        self._at_rest = asyncio.Event()
        self.rested_at = 0.0
        """When the last rest began (monotonic)."""
        self._goes_on = asyncio.Event()
        self.connection_id: int | None = None
        """What Redis calls the connection, so that another one can end a pop that waits; None: it does not say."""
        self.pops = 0
        self.events = 0
        self.holds = 0

    @property
    def up(self) -> bool:
        """Whether events are being taken."""
        return self._kept.up

    @property
    def reconnects(self) -> int:
        """Further tries to connect."""
        return self._kept.reconnects

    async def wait_up(self) -> None:
        """Returns when events are being taken."""
        await self._kept.wait_up()

    def begin_rest(self) -> None:
        """No pop follows the one that is under way."""
        self._rests = True
        self._at_rest.clear()
        self._goes_on.clear()

    async def wait_at_rest(self) -> None:
        """Returns when all that was popped is handed on."""
        await self._at_rest.wait()

    def end_rest(self) -> None:
        """Goes on popping, since nobody else does."""
        self._rests = False
        self._goes_on.set()

    async def run(self) -> None:
        """Pops until it is cancelled, whatever Redis does."""
        await self._kept.run(self._drain)

    async def _drain(self, connection: RedisConnection) -> None:
        facts = await ask_facts(connection)
        self._pops.begin(facts)
        self.connection_id = await ask_connection_id(connection)
        if self._unread_since is not None:  # a Redis that was not running took no events either
            self._unread_since = max(self._unread_since, time.monotonic() - facts.uptime)
        while True:
            try:
                await self._pop_for_ever(connection)
            except RedisReplyError as error:
                await self._mend(connection, error)

    async def _mend(self, connection: RedisConnection, error: RedisReplyError) -> None:
        """So that the next pop can do better. Raises what nothing here can mend."""
        if error.code == "WRONGTYPE":
            await delete_other_type(connection, self._queue, self._pops.kind, self._log)
        elif error.code == "NOPERM" and self._looks:
            self._may_look = False
        elif error.code == "UNBLOCKED":  # what others hear from now on; it hangs up
            raise RedisReplyError(f"READONLY {str(error).partition(' ')[2]}")
        else:
            raise error

    async def _pop_for_ever(self, connection: RedisConnection) -> None:
        try:
            if self._rests:
                self._kept.works()
                await self._rest()
            batch = await self._take_waiting(connection)
            self._kept.works()
            while True:
                pop = await self._publish(connection, batch)
                reply = await pop
                self._pop_outstanding = False
                batch = self._read_batch(connection, reply)
        except RedisUnavailable:
            if self._pop_outstanding:
                self._publisher.count_gap("pop_broken", BATCH)
            raise
        finally:
            self._pop_outstanding = False

    async def _take_waiting(self, connection: RedisConnection) -> Batch:
        """A pop that does not wait, so that its answer soon proves the connection good."""
        self._is_full = True  # who knows what waits
        reply = await self._send_pop(connection, BATCH)
        self._pop_outstanding = False
        return self._read_batch(connection, reply)

    async def _publish(self, connection: RedisConnection, batch: Batch) -> asyncio.Future[Any]:
        """Hands a batch on and sends the next pop: before, so that Redis works meanwhile, or later if it must."""
        self.pops += 1
        self.events += len(batch)
        now = self._unread_since = time.monotonic()
        pause = self._pace.pause_after(len(batch), self._is_full, now)
        if not pause and not self._rests and not self._publisher.wait_time():
            try:
                return self._send_pop(connection, BATCH)
            finally:
                self._hand_on(connection, batch)  # also when the connection has just broken
        self._hand_on(connection, batch)
        if self._rests:
            await self._rest()
        elif pause:
            await asyncio.sleep(pause - (time.monotonic() - now))
        held = await self._hold_back()
        return self._send_pop(connection, HELD_BATCH if held else BATCH)

    async def _rest(self) -> None:
        self.rested_at = time.monotonic()
        self._at_rest.set()
        await self._goes_on.wait()

    def _hand_on(self, connection: RedisConnection, batch: Batch) -> None:
        if not batch:
            return
        try:
            self._publisher.publish_batch(batch)
        except ValueError as error:
            raise connection.distrust("a score that is no number") from error

    async def _hold_back(self) -> bool:
        """Waits while the fan-out is behind; whether it was.

        What waits in Redis costs nothing; what waits here costs cold memory.
        """
        held = False
        while (seconds := self._publisher.wait_time()) > 0:
            self.holds += not held
            held = True
            await self._caught_up.wait(seconds)
        return held

    def _send_pop(self, connection: RedisConnection, count: int) -> asyncio.Future[Any]:
        """After a pop that filled its bounds one that need not wait follows, after a quiet time one that looks, too.

        One that does not wait also measures what comes after it.
        """
        if connection.lost.done():
            raise connection.lost.result()
        now = time.monotonic()
        self._count_expired(now)
        is_near = now - self._asked_at < NEAR and not self._is_full and not self._is_large
        if self._is_large and self._came == 1:
            count, is_near = 1, True  # Lua would copy what can only be taken alone
        self._looks = self._may_look and not is_near and not self._fits
        self._waits = not self._is_full
        self._asked, self._asked_at = count, now
        self._pop_outstanding = True
        self._measures = self._pops.measure(BATCH) if self._may_measure and self._is_full else []
        return connection.commands([*self._pop_commands(count), *self._measures])

    def _pop_commands(self, count: int) -> list[Command]:
        """Redis runs the second when an event wakes the first; one after the other would be a round trip more."""
        pops = self._pops
        if self._looks:
            return [pops.wait(1), pops.look(count - 1)] if self._waits else [pops.look(count)]
        if not self._waits:
            return pops.take(count)
        return [pops.wait(count)] if pops.waits_for_many else [pops.wait(1), *pops.take(count - 1)]

    def _read_batch(self, connection: RedisConnection, replies: list[Any]) -> Batch:
        """Any form of pop as `[[entry, score], ...]`, or as entries where they have no score."""
        is_cut = False
        batch: Batch = []
        measured: list[Any] = []
        if self._measures:
            replies, measured = replies[:-2], replies[-2:]
        if self._waits:
            batch = self._read_waited(connection, replies[0])
        if self._looks:
            popped = self._pops.read_looked(connection, replies[-1])
            batch += popped.batch
            is_cut = popped.cut
            if popped.too_large:
                self._publisher.count_too_large(popped.too_large)
        elif not self._waits or not self._pops.waits_for_many:
            batch += self._pops.read_taken(connection, replies[self._waits :])
        self._came = len(batch)
        self._note_measured(measured)
        self._is_full = is_cut or self._came >= self._asked
        self._is_large = connection.reply_size > LARGE
        return batch

    def _note_measured(self, replies: list[Any]) -> None:
        if replies:
            self._may_measure = not isinstance(replies[-1], RedisReplyError)
        self._fits = self._pops.read_fits(replies, BATCH, self._came)

    def _read_waited(self, connection: RedisConnection, reply: Any) -> Batch:
        batch = self._pops.read_waited(reply)
        if not batch and not self._rests and time.monotonic() - self._asked_at < BLOCK / 2:
            raise connection.distrust("nothing, before the time that a pop waits is over")
        return batch

    def _count_expired(self, now: float) -> None:
        """After more than `expiry` seconds without a pop, producers trim the queue's head (their step 4)."""
        if self._unread_since is not None and now - self._unread_since > self._expiry:
            self._publisher.count_gap("expired", most_events_in(now - self._unread_since - self._expiry))
            self._unread_since = now
