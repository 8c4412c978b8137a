"""What the intake asks of whoever takes its events: the fan-out, an application's channels, the dialler."""

from collections.abc import Sequence
from typing import Any, Protocol


class EventTaker(Protocol):
    """Finds the group of an event by the channel that it names, and counts what is lost."""

    def publish_batch(self, entries: Sequence[Any]) -> object:
        """Takes a batch as popped. Bad entries are its business; it raises for none."""

    def publish_pushed(self, messages: list[tuple[bool, bytes, bytes]]) -> object:
        """The same of published messages: whether for a group (else a channel of ours), which, the message."""

    def wait_time(self) -> float:
        """Seconds to wait at most with the next pop; `CaughtUp` tells when it may be less."""

    def add_channel(self, local: str, group: str) -> None:
        """Entries for the channel whose part after `!` is `local` are events of `group`."""

    def remove_channel(self, local: str) -> None:
        """Entries for the channel are events of its group no longer."""

    def count_too_large(self, count: int) -> None:
        """Counts events that were taken out of the queue unread, for their length."""

    def count_gap(self, reason: str, at_most: int, times: int = 1) -> None:
        """Counts one more loss of at most so many events, or several of at most so many together."""
