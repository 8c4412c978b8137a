"""What peers sent to the server, onward into Redis: events for others in their groups, metrics for AWX's pages."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from awxfast._rust import EntryFormat
from awxfast.nodes.takers import SocketTaker
from awxfast.redis.event_writer import Loss
from awxfast.redis.event_writers import WriterHost, open_event_writer
from awxfast.redis.group_writer import Event, Sent
from awxfast.settings import LayerSettings

GAPS: dict[Loss, str] = {
    "queue_full": "peer_events_overflow",
    "connection_broken": "peer_events_connection_broken",
    "refused": "peer_events_refused",
    "stopped": "peer_events_stopped",
}
"""A loss by its reason: nobody knows whether others wanted these events, or have got them."""


class Onward:
    """An `EventWriter` whose outcomes are in the ledger: each event once, and here unless this process had taken it."""

    def __init__(
        self,
        layer: LayerSettings,
        entry_format: EntryFormat,
        hosts: Sequence[WriterHost],
        counter: SocketTaker,
        tell_caught_up: Callable[[], None] = lambda: None,
        is_joined: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """`tell_caught_up`: is called when links need wait no longer.

        `is_joined`: whether this process hears a group itself, which a layer that stores nothing asks.
        """
        self._counter = counter
        self._tell_caught_up = tell_caught_up
        self._queue = open_event_writer("peers' events", layer, entry_format, hosts, self, self._note_crowd, is_joined)
        self._task: asyncio.Task[None] | None = None
        self.rest = self._queue.rest
        self.end_rest = self._queue.end_rest

    @property
    def is_full(self) -> bool:
        """Whether links should wait."""
        return self._queue.crowded

    def start(self) -> None:
        """Connects, when there is something for it to do and for as long as Redis lets it."""
        self._task = asyncio.get_running_loop().create_task(self._queue.run(), name="peers' events")

    async def stop(self) -> None:
        """Drops what waits; it is counted."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._queue.give_up()

    def freeze(self) -> dict[str, Any]:
        """What waits, for another process; nothing changes here. It is at rest."""
        return self._queue.freeze()

    def inherit(self, frozen: Mapping[str, Any]) -> None:
        """What `freeze` gave in the process before this one."""
        self._queue.inherit(frozen)

    def offer(self, events: Sequence[tuple[str, bytes, bool]]) -> None:
        """Events of peers: group, text, and whether somebody in this process has taken it."""
        self._queue.put([Event(group, text, taken) for group, text, taken in events])

    def store(self, key: str, value: str) -> None:
        """Writes a key without expiry, as AWX does with metrics; while Redis is away the newest value waits."""
        if not self._queue.store(key, value):
            self._counter.count_gap("peer_metrics", 0)

    def _note_crowd(self, crowded: bool) -> None:
        if not crowded:
            self._tell_caught_up()

    # What became of them (event_writer.Outcomes)

    def note_sent(self, events: Sequence[Event], sent: Sent) -> None:
        """What a full queue did not take is a gap of whoever reads it."""
        if sent.full:
            self._counter.count_gap("peer_queue_full", sent.full)
        if sent.unreached:
            self._counter.count_gap(GAPS["connection_broken"], sent.unreached)
        routed = sum(1 for event, count in zip(events, sent.taken, strict=True) if count and not event.taken)
        self._count(events, routed)

    def note_unheard(self, events: Sequence[Event]) -> None:
        """Nobody else wants them."""
        self._count(events, routed=0)

    def note_lost(self, events: Sequence[Event], reason: Loss) -> None:
        """A gap by reason."""
        self._counter.count_gap(GAPS[reason], len(events))
        self._count(events, routed=0)

    def _count(self, events: Sequence[Event], routed: int) -> None:
        untaken = sum(not event.taken for event in events)
        self._counter.count_relayed(routed, untaken - routed)
