"""Events for the groups of the local Redis, queued here and written in batches on a connection of their own."""

import asyncio
import collections
import logging
import time
from collections.abc import Callable

from awxfast.errors import RedisReplyError, RedisUnavailable
from awxfast.intake.address import RedisAddress
from awxfast.intake.group_send import MAX_BATCH_BYTES, MAX_BATCH_EVENTS, Event, GroupWriter
from awxfast.intake.reconnect import KeptConnection, Outages
from awxfast.intake.redis import RedisConnection

log = logging.getLogger(__name__)

QUEUE_EVENTS = 10_000
QUEUE_BYTES = 67_108_864
"""What may wait here while Redis is away or slow; beyond it the oldest events go, counted."""

CROWDED_EVENTS = QUEUE_EVENTS // 2
CROWDED_BYTES = QUEUE_BYTES // 2
"""From here on who brings events is asked to wait, for as long as Redis takes any."""

DRAIN_STEP = 0.01


class GroupSender:
    """Takes events at once, writes them in order. Plain attributes are counters for metrics.

    Of events whose script's answer never came nobody knows whether they were written. They are not written again, so
    that nothing is there twice, and count as lost with the connection.
    """

    def __init__(
        self,
        address: RedisAddress,
        writer: GroupWriter,
        outages: Outages,
        note_crowd: Callable[[bool], None] = lambda _: None,
    ) -> None:
        """`note_crowd`: is told when so much waits here that no more should come (True), and when it may (False)."""
        self._writer = writer
        self._note_crowd = note_crowd
        self._crowded = False
        self._kept = KeptConnection(address, "group sends", outages)
        self._events: collections.deque[Event] = collections.deque()
        self._values: dict[str, str] = {}
        self._wake = asyncio.Event()
        self._in_flight = 0
        self.queued_bytes = 0
        self.received = self.written = self.unheard = self.over_capacity = 0
        self.dropped: collections.Counter[str] = collections.Counter()

    @property
    def up(self) -> bool:
        """Whether Redis answers."""
        return self._kept.up

    @property
    def pending(self) -> int:
        """Events that wait or whose answer is still to come."""
        return len(self._events) + self._in_flight

    async def wait_up(self) -> None:
        """Returns when Redis answers."""
        await self._kept.wait_up()

    def send(self, group: str, text: bytes) -> None:
        """Queues one event for `group`."""
        self.received += 1
        self.queued_bytes += len(text)
        self._events.append(Event(group, text))
        while len(self._events) > QUEUE_EVENTS or self.queued_bytes > QUEUE_BYTES:
            self.queued_bytes -= len(self._events.popleft().text)
            self.dropped["queue_full"] += 1
        if not self._crowded and self.up and self._is_crowded():
            self._crowded = True
            self._note_crowd(True)
        self._wake.set()

    def store(self, key: str, value: str) -> None:
        """Sets a key, without expiry, as soon as Redis takes it; of several values for one key the last counts."""
        self._values[key] = value
        self._wake.set()

    async def run(self) -> None:
        """Writes until it is cancelled, whatever Redis does."""
        await self._kept.run(self._work)

    def _is_crowded(self) -> bool:
        return len(self._events) > CROWDED_EVENTS or self.queued_bytes > CROWDED_BYTES

    def _end_crowd(self) -> None:
        if self._crowded:
            self._crowded = False
            self._note_crowd(False)

    async def drained(self, seconds: float) -> None:
        """Returns when nothing waits any more, or after `seconds`."""
        for _ in range(int(seconds / DRAIN_STEP)):
            if not self.up or not (self.pending or self._values):
                break
            await asyncio.sleep(DRAIN_STEP)

    async def _work(self, connection: RedisConnection) -> None:
        connection.lost.add_done_callback(lambda _: self._wake.set())
        self._kept.works()
        try:
            await self._write_all(connection)
        finally:
            self._end_crowd()  # links must stay alive while Redis is away

    async def _write_all(self, connection: RedisConnection) -> None:
        while True:
            if connection.lost.done():
                raise connection.lost.result()
            await self._write_values(connection)
            batch = self._take_batch()
            if not self._is_crowded():
                self._end_crowd()
            if batch:
                await self._write(connection, batch)
            elif not self._values:
                self._wake.clear()
                await self._wake.wait()

    async def _write_values(self, connection: RedisConnection) -> None:
        while self._values:
            values, self._values = self._values, {}
            try:
                replies = await connection.commands([("SET", key, value) for key, value in values.items()])
            except RedisUnavailable:
                self._values = {**values, **self._values}
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
        self._in_flight = len(batch)
        try:
            heard = await self._find_heard(connection, batch)
            self._in_flight = len(heard)
            if heard:
                await self._send(connection, heard)
        except asyncio.CancelledError:
            self.dropped["stopped"] += self._in_flight
            raise
        finally:
            self._in_flight = 0

    async def _find_heard(self, connection: RedisConnection, batch: list[Event]) -> list[Event]:
        """Those for groups that somebody here is in: most of what a whole cluster sends is for others."""
        groups = list(dict.fromkeys(event.group for event in batch))
        try:
            heard = await self._writer.find_heard(connection, groups, time.time())
        except RedisUnavailable:
            self._events.extendleft(reversed(batch))
            self.queued_bytes += sum(len(event.text) for event in batch)
            raise
        except RedisReplyError as error:
            return self._note_refusal(error, batch)
        wanted = [event for event in batch if heard[event.group]]
        self.unheard += len(batch) - len(wanted)
        return wanted

    async def _send(self, connection: RedisConnection, events: list[Event]) -> None:
        try:
            sent = await self._writer.send(connection, events, time.time())
        except RedisUnavailable:
            self.dropped["connection_broken"] += len(events)
            raise
        except RedisReplyError as error:
            self._note_refusal(error, events)
            return
        written = sum(taken > 0 for taken in sent.taken)
        self.written += written
        self.dropped["over_capacity"] += len(events) - written
        self.over_capacity += sent.full

    def _note_refusal(self, error: RedisReplyError, events: list[Event]) -> list[Event]:
        """A Redis without memory, or one that is read-only: said once, counted each time. Nothing is left to send."""
        if not self.dropped["refused"]:
            log.error("Redis refuses events of other nodes: %s", error)
        self.dropped["refused"] += len(events)
        return []
