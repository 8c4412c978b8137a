"""What peers sent to the dialler: events for the groups of the local Redis, each counted by what became of it."""

import collections
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from awxfast._rust import EntryFormat
from awxfast.redis.event_writer import Loss
from awxfast.redis.event_writers import WriterHost, open_event_writer
from awxfast.redis.group_writer import Event, Sent
from awxfast.settings import LayerSettings


class GroupSender:
    """An `EventWriter` that counts. Plain attributes are for metrics."""

    def __init__(
        self,
        layer: LayerSettings,
        entry_format: EntryFormat,
        hosts: Sequence[WriterHost],
        note_crowd: Callable[[bool], None] = lambda _: None,
    ) -> None:
        """`note_crowd` is called by the `EventWriter` when its queue fills, and when it empties."""
        self._queue = open_event_writer("group sends", layer, entry_format, hosts, self, note_crowd)
        self.run = self._queue.run
        self.wait_up = self._queue.wait_up
        self.drained = self._queue.drained
        self.rest = self._queue.rest
        self.end_rest = self._queue.end_rest
        self.freeze = self._queue.freeze
        self.received = self.written = self.unheard = self.over_capacity = 0
        self.dropped: collections.Counter[str] = collections.Counter()

    @property
    def up(self) -> bool:
        """Whether this node's Redis answers."""
        return self._queue.up

    @property
    def pending(self) -> int:
        """Events that wait or whose answer is still to come."""
        return self._queue.pending

    @property
    def queued_bytes(self) -> int:
        """Bytes of those that wait."""
        return self._queue.queued_bytes

    def send(self, group: str, text: bytes) -> None:
        """Queues one event for `group`."""
        self.received += 1
        self._queue.put([Event(group, text)])

    def inherit(self, frozen: Mapping[str, Any]) -> None:
        """What `freeze` gave in the process before this one; it was not counted there."""
        self.received += len(frozen["events"])
        self._queue.inherit(frozen)

    def store(self, key: str, value: str) -> bool:
        """Sets a key, without expiry, as soon as Redis takes it; of several values for one key the last counts.

        False: too much waits already.
        """
        return self._queue.store(key, value)

    # What became of them (event_writer.Outcomes)

    def note_sent(self, events: Sequence[Event], sent: Sent) -> None:
        """Copies that a full queue did not take are no event of their own."""
        written = sum(taken > 0 for taken in sent.taken)
        self.written += written
        reason = "over_capacity" if not sent.unreached else "connection_broken"
        self.dropped[reason] += len(events) - written
        self.over_capacity += sent.full

    def note_unheard(self, events: Sequence[Event]) -> None:
        """Counts events that nobody on this node is subscribed to."""
        self.unheard += len(events)

    def note_lost(self, events: Sequence[Event], reason: Loss) -> None:
        """Counts events that were not written, by reason."""
        self.dropped[reason] += len(events)
