"""Takes events out of the process's queue, in batches, on a connection that does nothing else."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Protocol

from awxfast.errors import RedisReplyError, RedisUnavailable
from awxfast.intake.address import RedisAddress
from awxfast.intake.gaps import GapCounter, most_events_in
from awxfast.intake.pace import Pace
from awxfast.intake.reconnect import KeptConnection, Outages
from awxfast.intake.redis import RedisConnection
from awxfast.intake.server import ask_facts

BATCH = 256
"""Events a pop: what a connection that breaks between pop and reply costs at most."""

HELD_BATCH = 64
"""The same after a hold: readers that are behind get what they can take soon, not a queue."""

BLOCK = 5
"""Seconds that a pop of an empty queue waits in Redis."""

OVERDUE = 5
"""Seconds past `BLOCK` after which the connection counts as dead."""

HOLD_STEP = 0.001
"""Seconds between two looks whether the fan-out is still behind."""

Batch = list[Any]
"""`[[member, score], ...]`, both bytes."""


class Publisher(GapCounter, Protocol):
    """Who takes the events (the fan-out)."""

    def publish_batch(self, members: Sequence[Any]) -> object:
        """Takes a batch as popped. Bad entries are its business; it raises for none."""

    def busy(self) -> bool:
        """Whether to wait with the next pop."""


class Drain:
    """Pops one queue for ever. Plain attributes are counters for metrics."""

    def __init__(
        self,
        address: RedisAddress,
        queue: str,
        publisher: Publisher,
        outages: Outages,
        expiry: int,
        pace: Pace | None = None,
    ) -> None:
        self._queue = queue
        self._publisher = publisher
        self._expiry = expiry
        self._kept = KeptConnection(address, "drain", outages, patience=BLOCK + OVERDUE)
        self._pace = pace or Pace()
        self._has_bzmpop = True
        self._asked = BATCH
        self._pop_outstanding = False
        self._unread_since: float | None = None
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

    async def run(self) -> None:
        """Pops until it is cancelled, whatever Redis does."""
        await self._kept.run(self._drain)

    async def _drain(self, connection: RedisConnection) -> None:
        facts = await ask_facts(connection)
        self._has_bzmpop = facts.has_bzmpop
        if self._unread_since is not None:  # a Redis that was not running took no events either
            self._unread_since = max(self._unread_since, time.monotonic() - facts.uptime)
        try:
            batch = await self._take_waiting(connection)
            self._kept.works()
            while True:
                pop = await self._publish(connection, batch)
                reply = await pop
                self._pop_outstanding = False
                batch = self._read_batch(reply)
        except RedisUnavailable:
            if self._pop_outstanding:
                self._publisher.count_gap("pop_broken", BATCH)
            raise
        finally:
            self._pop_outstanding = False

    async def _take_waiting(self, connection: RedisConnection) -> Batch:
        """A pop that does not block, so that its answer soon proves the connection good."""
        self._count_expired()
        self._pop_outstanding = True
        waiting = await connection.command("ZPOPMIN", self._queue, BATCH)
        self._pop_outstanding = False
        return _pairs(waiting)

    async def _publish(self, connection: RedisConnection, batch: Batch) -> asyncio.Future[Any]:
        """Hands a batch on and sends the next pop: before, so that Redis works meanwhile, or later if it must."""
        self.pops += 1
        self.events += len(batch)
        now = self._unread_since = time.monotonic()
        pause = self._pace.pause_after(len(batch), len(batch) >= self._asked, now)
        if not pause and not self._publisher.busy():
            try:
                return self._send_pop(connection, BATCH)
            finally:
                self._hand_on(batch)  # also when the connection has just broken
        self._hand_on(batch)
        if pause:
            await asyncio.sleep(pause - (time.monotonic() - now))
        held = await self._hold_back()
        return self._send_pop(connection, HELD_BATCH if held else BATCH)

    def _hand_on(self, batch: Batch) -> None:
        if batch:
            self._publisher.publish_batch(batch)

    async def _hold_back(self) -> bool:
        """Waits while the fan-out is behind; whether it was.

        What waits in Redis costs nothing; what waits here costs cold memory.
        """
        held = False
        while self._publisher.busy():
            self.holds += not held
            held = True
            await asyncio.sleep(HOLD_STEP)
        return held

    def _send_pop(self, connection: RedisConnection, count: int) -> asyncio.Future[Any]:
        if connection.lost.done():
            raise connection.lost.result()
        self._count_expired()
        self._pop_outstanding = True
        self._asked = count
        if self._has_bzmpop:
            return connection.command("BZMPOP", BLOCK, 1, self._queue, "MIN", "COUNT", count)
        # Redis runs the second when an event wakes the first; one after the other would be a round trip more an event.
        return connection.commands([("BZPOPMIN", self._queue, BLOCK), ("ZPOPMIN", self._queue, count - 1)])

    def _read_batch(self, reply: Any) -> Batch:
        """Either form of pop as `[[member, score], ...]`."""
        if self._has_bzmpop:
            return reply[1] if reply else []
        first, rest = reply
        for part in (first, rest):
            if isinstance(part, RedisReplyError):
                raise part
        return [[first[1], first[2]], *_pairs(rest)] if first else _pairs(rest)

    def _count_expired(self) -> None:
        """After more than `expiry` seconds without a pop, producers trim the queue's head (their step 4)."""
        now = time.monotonic()
        if self._unread_since is not None and now - self._unread_since > self._expiry:
            self._publisher.count_gap("expired", most_events_in(now - self._unread_since - self._expiry))
            self._unread_since = now


def _pairs(flat: list[Any]) -> Batch:
    """What RESP2 gives as member, score, member, score."""
    return [[flat[i], flat[i + 1]] for i in range(0, len(flat), 2)]
