"""Between the intake and other nodes: events of this node's Redis become frames for peers that want them, or packets
for an engine."""

import collections
from collections.abc import Callable, Sequence
from typing import Any

from awxfast._rust import EntryFormat, LinkBundle, LinkEncoder
from awxfast.broadcast.fragments import MAX_MESSAGE
from awxfast.engine.publisher import Publisher


class LinkTaker:
    """Takes what the intake pops (it is the intake's `EventTaker`). Gaps are counted by reason."""

    def __init__(self, entry_format: EntryFormat, send: Callable[[LinkBundle], None]) -> None:
        self.encoder = LinkEncoder(entry_format, MAX_MESSAGE)
        self._send = send
        self._engine: Publisher | None = None
        self._needs_frames: Callable[[], bool] = lambda: True
        self.too_large = 0
        """Events that were taken from Redis and rejected unread."""
        self.gaps: dict[str, collections.Counter[str]] = {}

    def set_engine(self, engine: Publisher, needs_frames: Callable[[], bool], backplane_group: str) -> None:
        """What carries events as well, or alone where nobody `needs_frames`; copies of the broadcast era, too."""
        self._engine = engine
        self._needs_frames = needs_frames
        self.encoder.set_backplane(backplane_group)

    def publish_batch(self, entries: Sequence[Any]) -> None:
        """One encoding, one write for each peer."""
        if self._engine is None:
            self._send_bundle(self.encoder.encode_batch(entries))
        else:
            most_bytes = self._engine.departures.most_bytes
            self._send_both(*self.encoder.encode_texts(entries, most_bytes, self._needs_frames()))

    def publish_pushed(self, messages: list[tuple[bool, bytes, bytes]]) -> None:
        """The same of published messages."""
        if self._engine is None:
            self._send_bundle(self.encoder.encode_pushed(messages))
        else:
            most_bytes = self._engine.departures.most_bytes
            self._send_both(*self.encoder.encode_pushed_texts(messages, most_bytes, self._needs_frames()))

    def _send_bundle(self, bundle: LinkBundle | None) -> None:
        if bundle is not None:
            self._send(bundle)

    def _send_both(self, bundle: LinkBundle | None, texts: list[tuple[str, int, bytes]]) -> None:
        self._send_bundle(bundle)
        if self._engine is not None:
            self._engine.publish(texts)

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
