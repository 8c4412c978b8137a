"""Between the intake and the peers: events of this node's Redis become frames for whoever wants them."""

import collections
from collections.abc import Callable, Sequence
from typing import Any

from awxfast._rust import EntryFormat, LinkBundle, LinkEncoder
from awxfast.broadcast.fragments import MAX_MESSAGE


class LinkTaker:
    """Takes what the intake pops (it is the intake's `EventTaker`). Gaps are counted by reason."""

    def __init__(self, entry_format: EntryFormat, send: Callable[[LinkBundle], None]) -> None:
        self.encoder = LinkEncoder(entry_format, MAX_MESSAGE)
        self._send = send
        self.too_large = 0
        """Events that were taken from Redis and rejected unread."""
        self.gaps: dict[str, collections.Counter[str]] = {}

    def publish_batch(self, entries: Sequence[Any]) -> None:
        """One encoding, one write for each peer."""
        bundle = self.encoder.encode_batch(entries)
        if bundle is not None:
            self._send(bundle)

    def publish_pushed(self, messages: list[tuple[bool, bytes, bytes]]) -> None:
        """The same of published messages."""
        bundle = self.encoder.encode_pushed(messages)
        if bundle is not None:
            self._send(bundle)

    def count_too_large(self, count: int) -> None:
        """Counts events that were larger than `--max-event-size`."""
        self.too_large += count

    def wait_time(self) -> float:
        """None: a peer that reads slowly loses its own events, nobody else's."""
        return 0.0

    def count_gap(self, reason: str, at_most: int, times: int = 1) -> None:
        """A loss that can't be counted in events."""
        self.gaps.setdefault(reason, collections.Counter()).update(times=times, at_most=at_most)

    def add_channel(self, local: str, group: str) -> None:
        """Entries for the channel whose part after `!` is `local` are events of `group`."""
        self.encoder.add_channel(local, group)

    def remove_channel(self, local: str) -> None:
        """Entries for the channel are events of its group no longer."""
        self.encoder.remove_channel(local)
