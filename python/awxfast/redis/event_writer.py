"""Events for groups of the local Redis: queued here, written in batches on a connection of their own.

Of events whose script's answer never came nobody knows whether they were written. They are not written again, so that
nothing is there twice, and count as lost with the connection.
"""

import asyncio
import collections
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

from awxfast.errors import RedisReplyError, RedisUnavailable
from awxfast.redis.address import RedisAddress
from awxfast.redis.connection import RedisConnection
from awxfast.redis.group_publisher import GroupPublisher
from awxfast.redis.group_writer import MAX_BATCH_BYTES, MAX_BATCH_EVENTS, Event, GroupWriter, Sent
from awxfast.redis.reconnect import LONGEST_PAUSE, KeptConnection, Outages
from awxfast.redis.server_facts import ask_facts, is_master

log = logging.getLogger(__name__)

QUEUE_EVENTS = 10_000
QUEUE_BYTES = 67_108_864
"""What may wait here while Redis is away or slow; beyond it the oldest events go, counted."""

CROWDED_EVENTS = QUEUE_EVENTS // 2
CROWDED_BYTES = QUEUE_BYTES // 2
"""From here on who brings events is asked to wait, for as long as Redis takes any."""

MOST_VALUES = 1_000
VALUES_BYTES = 16_777_216
"""Keys that wait to be stored, and bytes of their values; a newer value takes the place of one that waits."""

RETURN_TIME = LONGEST_PAUSE + 0.5
"""Seconds after a restart of Redis in which others find it and register anew: before, nobody would get anything."""

DRAIN_STEP = 0.01
MASTER_LOOK = 1.0
"""Seconds between two looks at whether a Redis that was read-only may be written to again."""


Loss = Literal["queue_full", "connection_broken", "refused", "stopped"]
"""Why events were lost: too many waited; the connection broke under them; Redis would not; the process ended."""


class Outcomes(Protocol):
    """Who counts what became of events. Each is named once."""

    def note_sent(self, events: Sequence[Event], sent: Sent) -> None:
        """They are in Redis, in as many queues as `sent` says."""

    def note_unheard(self, events: Sequence[Event]) -> None:
        """Nobody is in their groups."""

    def note_lost(self, events: Sequence[Event], reason: Loss) -> None:
        """They are not in Redis, as far as is known."""


class EventWriter:
    """Takes events at once, writes them in order. `name` of the connection is for Redis' outages."""

    def __init__(
        self,
        name: str,
        address: RedisAddress,
        writer: GroupWriter | GroupPublisher,
        outages: Outages,
        outcomes: Outcomes,
        note_crowd: Callable[[bool], None] = lambda _: None,
    ) -> None:
        """`note_crowd`: is told when so much waits here that no more should come (True), and when it may (False)."""
        self._writer = writer
        self._outcomes = outcomes
        self._note_crowd = note_crowd
        self._crowded = False
        self._kept = KeptConnection(address, name, outages)
        self._connection: RedisConnection | None = None
        self._events: collections.deque[Event] = collections.deque()
        self._values: dict[str, bytes] = {}
        self._values_bytes = 0
        self._wake = asyncio.Event()
        self._in_flight: Sequence[Event] = ()
        self._rests = False
        self._is_still = asyncio.Event()
        self._is_still.set()
        self._run_id = ""
        self._refused = False
        self._is_read_only = False
        """Whether it last was no master, so that a connection alone proves nothing."""
        self.queued_bytes = 0

    @property
    def up(self) -> bool:
        """Whether Redis takes events."""
        return self._kept.up

    def connect(self) -> RedisConnection | None:
        """What it writes on; None while Redis is away."""
        return self._connection if self.up else None

    @property
    def crowded(self) -> bool:
        """Whether who brings events should wait."""
        return self._crowded

    @property
    def pending(self) -> int:
        """Events that wait or whose answer is still to come."""
        return len(self._events) + len(self._in_flight)

    async def wait_up(self) -> None:
        """Returns when Redis answers."""
        await self._kept.wait_up()

    def put(self, events: Sequence[Event]) -> None:
        """Queues events; past the bound the oldest are lost."""
        self._events.extend(events)
        self.queued_bytes += sum(len(event.text) for event in events)
        while len(self._events) > QUEUE_EVENTS or self.queued_bytes > QUEUE_BYTES:
            oldest = self._events.popleft()
            self.queued_bytes -= len(oldest.text)
            self._outcomes.note_lost([oldest], "queue_full")
        if not self._crowded and self.up and self._is_much():
            self._crowded = True
            self._note_crowd(True)
        self._wake.set()

    def store(self, key: str, value: str) -> bool:
        """Sets a key, without expiry, as soon as Redis takes it. False: too much waits already."""
        data = value.encode()
        size = self._values_bytes + len(data) - len(self._values.get(key, b""))
        if size > VALUES_BYTES or (key not in self._values and len(self._values) >= MOST_VALUES):
            return False
        self._values[key] = data
        self._values_bytes = size
        self._wake.set()
        return True

    async def run(self) -> None:
        """Writes until it is cancelled, whatever Redis does."""
        await self._kept.run(self._work)

    async def rest(self) -> None:
        """Returns when nothing is on its way; what waits, and what comes, stays here until `end_rest`."""
        self._rests = True
        await self._is_still.wait()

    def end_rest(self) -> None:
        """Writes what has waited, and what comes from now on."""
        self._rests = False
        self._wake.set()

    def freeze(self) -> dict[str, Any]:
        """What waits, as JSON has it, for another process; nothing changes here."""
        events = [[event.group, event.text.decode(), event.taken] for event in self._events]
        return {"events": events, "values": {key: value.decode() for key, value in self._values.items()}}

    def inherit(self, frozen: Mapping[str, Any]) -> None:
        """What `freeze` gave in the process before this one."""
        self.put([Event(group, text.encode(), taken) for group, text, taken in frozen["events"]])
        for key, value in frozen["values"].items():
            self.store(key, value)

    async def drained(self, seconds: float) -> None:
        """Returns when nothing waits any more, or after `seconds`."""
        for _ in range(int(seconds / DRAIN_STEP)):
            if not self.up or not (self.pending or self._values):
                break
            await asyncio.sleep(DRAIN_STEP)

    def give_up(self) -> None:
        """Counts what still waits as lost: `run` is over."""
        waiting = list(self._events)
        self._events.clear()
        self.queued_bytes = 0
        if waiting:
            self._outcomes.note_lost(waiting, "stopped")

    def _is_much(self) -> bool:
        return len(self._events) > CROWDED_EVENTS or self.queued_bytes > CROWDED_BYTES

    def _end_crowd(self) -> None:
        if self._crowded:
            self._crowded = False
            self._note_crowd(False)

    async def _work(self, connection: RedisConnection) -> None:
        connection.lost.add_done_callback(lambda _: self._wake.set())
        await self._await_others(connection)
        if self._is_read_only:
            await self._look_for_master(connection)
        else:
            self._kept.works()
        self._connection = connection
        try:
            await self._write_all(connection)
        finally:
            self._connection = None
            self._end_crowd()  # links must stay alive while Redis is away

    async def _await_others(self, connection: RedisConnection) -> None:
        """Where Redis was restarted; one that was only out of reach still knows who is in which group."""
        former, self._run_id = self._run_id, (await ask_facts(connection)).run_id
        if former and former != self._run_id:
            await asyncio.wait([connection.lost], timeout=RETURN_TIME)

    async def _write_all(self, connection: RedisConnection) -> None:
        while True:
            if connection.lost.done():
                raise connection.lost.result()
            if self._rests or not (self._events or self._values):
                self._wake.clear()
                await self._wait_for_work(connection)
                continue
            self._is_still.clear()
            try:
                await self._write_some(connection)
            finally:
                self._is_still.set()

    async def _wait_for_work(self, connection: RedisConnection) -> None:
        """Returns when there may be something to write, or to look at."""
        if not self._is_read_only:
            await self._wake.wait()
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MASTER_LOOK):
                await self._wake.wait()
        await self._look_for_master(connection)

    async def _look_for_master(self, connection: RedisConnection) -> None:
        if self._is_read_only and await is_master(connection):
            self._is_read_only = False
            self._kept.works()

    async def _write_some(self, connection: RedisConnection) -> None:
        await self._write_values(connection)
        batch = self._take_batch()
        if not self._is_much():
            self._end_crowd()
        if batch:
            await self._write(connection, batch)

    async def _write_values(self, connection: RedisConnection) -> None:
        while self._values:
            values, self._values = self._values, {}
            self._values_bytes = 0
            try:
                replies = await connection.commands([("SET", key, value) for key, value in values.items()])
            except RedisUnavailable:
                self._values = {**values, **self._values}
                self._values_bytes = sum(map(len, self._values.values()))
                raise
            for key, reply in zip(values, replies, strict=True):
                if isinstance(reply, RedisReplyError):
                    log.error("Redis refuses to store %s: %s", key, reply)

    def _take_batch(self) -> list[Event]:
        batch: list[Event] = []
        size = 0
        while self._events and len(batch) < MAX_BATCH_EVENTS and size < MAX_BATCH_BYTES:
            event = self._events.popleft()
            size += len(event.text)
            batch.append(event)
        self.queued_bytes -= size
        return batch

    async def _write(self, connection: RedisConnection, batch: list[Event]) -> None:
        self._in_flight = batch
        try:
            heard = await self._find_heard(connection, batch)
            unheard = [event for event in batch if not heard[event.group]]
            self._in_flight = wanted = [event for event in batch if heard[event.group]]
            if unheard:
                self._outcomes.note_unheard(unheard)
            if wanted:
                self._outcomes.note_sent(wanted, await self._send(connection, wanted))
        except RedisReplyError as error:
            self._note_refusal(error, self._in_flight)
        except asyncio.CancelledError:
            self._outcomes.note_lost(self._in_flight, "stopped")
            raise
        finally:
            self._in_flight = ()

    async def _find_heard(self, connection: RedisConnection, batch: list[Event]) -> Mapping[str, bool]:
        """For which groups there is somebody here: most of what a whole cluster sends is for others."""
        groups = list(dict.fromkeys(event.group for event in batch))
        try:
            return await self._writer.find_heard(connection, groups, time.time())
        except RedisUnavailable:
            self._events.extendleft(reversed(batch))
            self.queued_bytes += sum(len(event.text) for event in batch)
            raise

    async def _send(self, connection: RedisConnection, events: Sequence[Event]) -> Sent:
        try:
            return await self._writer.send(connection, events, time.time())
        except RedisUnavailable:
            self._outcomes.note_lost(events, "connection_broken")
            raise

    def _note_refusal(self, error: RedisReplyError, events: Sequence[Event]) -> None:
        """A Redis without memory, or one that is read-only: said once, counted each time."""
        self._outcomes.note_lost(events, "refused")
        if error.code == "READONLY":  # no master any more: its successor has the same name, and the outage is said
            self._is_read_only = True
            raise error
        if not self._refused:
            log.error("Redis refuses events of other nodes: %s", error)
        self._refused = True
