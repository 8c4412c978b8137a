"""What peers sent, onward into Redis: events for the other members of their groups, metrics for AWX's own pages."""

import asyncio
import collections
import dataclasses
import logging
import time
from collections.abc import Sequence
from typing import Protocol

from awxfast.errors import RedisReplyError, RedisUnavailable
from awxfast.intake.address import RedisAddress
from awxfast.intake.gaps import GapCounter
from awxfast.intake.group_send import MAX_BATCH_BYTES, MAX_BATCH_EVENTS, Event, GroupWriter
from awxfast.intake.reconnect import KeptConnection, Outages
from awxfast.intake.redis import RedisConnection

log = logging.getLogger(__name__)

MOST_EVENTS = 4_096
MOST_BYTES = 16_777_216
"""What waits at most before links are read no further."""
MOST_VALUES = 1_000
"""Keys that wait to be stored at most; a newer value takes the place of one that waits."""


class Counter(GapCounter, Protocol):
    """Where is counted what became of events (the fan-out's ledger)."""

    def count_relayed(self, routed: int, no_subscriber: int) -> None:
        """Events that nobody in this process took, by whether somebody else did."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Waiting:
    event: Event
    taken: bool


class Onward:
    """Asks which groups anybody else is in, and sends only what somebody gets. One batch after the other, in order."""

    def __init__(self, address: RedisAddress, writer: GroupWriter, counter: Counter, outages: Outages) -> None:
        self._writer = writer
        self._counter = counter
        self._kept = KeptConnection(address, "peers' events", outages)
        self._waiting: collections.deque[_Waiting] = collections.deque()
        self._bytes = 0
        self._refused = False
        self._values: dict[str, str] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_up(self) -> bool:
        """Whether Redis takes events."""
        return self._kept.up

    @property
    def is_full(self) -> bool:
        """Whether links should wait."""
        return len(self._waiting) >= MOST_EVENTS or self._bytes >= MOST_BYTES

    def start(self) -> None:
        """Connects, when there is something for it to do and for as long as Redis lets it."""
        self._task = asyncio.get_running_loop().create_task(self._kept.run(self._work), name="peers' events")

    async def stop(self) -> None:
        """Drops what waits; it is counted."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._lose(list(self._waiting))
        self._waiting.clear()

    def offer(self, events: Sequence[tuple[str, bytes, bool]]) -> None:
        """Events of peers: group, text, and whether somebody in this process has taken it."""
        batch = [_Waiting(Event(group, text), taken) for group, text, taken in events]
        if not self._kept.up:
            self._lose(batch)
            return
        self._waiting.extend(batch)
        self._bytes += sum(len(one.event.text) for one in batch)
        self._wake.set()

    def store(self, key: str, value: str) -> None:
        """Writes a key without expiry, as AWX does with metrics; while Redis is away the newest value waits."""
        if key in self._values or len(self._values) < MOST_VALUES:
            self._values[key] = value
            self._wake.set()

    async def _work(self, connection: RedisConnection) -> None:
        connection.lost.add_done_callback(lambda _: self._wake.set())
        await connection.command("PING")
        self._kept.works()
        while True:
            await self._wake.wait()
            self._wake.clear()
            if connection.lost.done():
                raise connection.lost.result()
            await self._store_values(connection)
            while batch := self._take_batch():
                await self._pass_on(connection, batch)

    async def _store_values(self, connection: RedisConnection) -> None:
        values, self._values = self._values, {}
        try:
            await connection.commands([("SET", key, value) for key, value in values.items()])
        except RedisUnavailable:
            self._values = {**values, **self._values}
            raise

    def _take_batch(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        while self._waiting and len(batch) < MAX_BATCH_EVENTS and (not batch or size < MAX_BATCH_BYTES):
            batch.append(self._waiting.popleft())
            size += len(batch[-1].event.text)
        self._bytes -= size
        return batch

    async def _pass_on(self, connection: RedisConnection, batch: list[_Waiting]) -> None:
        """Counts each event once: here, unless somebody in this process had taken it."""
        try:
            wanted = await self._find_wanted(connection, batch)
            takers = await self._send(connection, wanted) if wanted else []
        except RedisReplyError as error:
            self._note_refusal(error, batch)
        except BaseException:  # a connection that broke, or the end
            self._lose(batch)
            self._wake.set()  # what still waits is for the next connection
            raise
        else:
            routed = sum(1 for one, count in zip(wanted, takers, strict=True) if count and not one.taken)
            self._count(batch, routed)

    async def _find_wanted(self, connection: RedisConnection, batch: list[_Waiting]) -> list[_Waiting]:
        groups = list(dict.fromkeys(one.event.group for one in batch))
        heard = await self._writer.find_heard(connection, groups, time.time())
        return [one for one in batch if heard[one.event.group]]

    async def _send(self, connection: RedisConnection, wanted: list[_Waiting]) -> Sequence[int]:
        sent = await self._writer.send(connection, [one.event for one in wanted], time.time())
        if sent.full:
            self._counter.count_gap("peer_queue_full", sent.full)
        return sent.taken

    def _note_refusal(self, error: RedisReplyError, batch: list[_Waiting]) -> None:
        """A Redis without memory, or one that is read-only: said once, counted each time."""
        if not self._refused:
            log.error("Redis refuses events of other nodes: %s", error)
        self._refused = True
        self._lose(batch)

    def _lose(self, batch: list[_Waiting]) -> None:
        """Nobody knows whether others wanted these, or have got them."""
        if batch:
            self._counter.count_gap("peer_events_not_passed_on", len(batch))
            self._count(batch, routed=0)

    def _count(self, batch: list[_Waiting], routed: int) -> None:
        untaken = sum(not one.taken for one in batch)
        self._counter.count_relayed(routed, untaken - routed)
