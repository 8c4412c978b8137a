"""Who takes what other nodes bring, and the links that it comes from: what this room asks of others."""

from collections.abc import Sequence
from typing import Protocol

RelayedEvent = tuple[str, bytes, bool, bool | None]
"""Group, text, whether it is taken, whether consumers take it (True: only those without a socket)."""


class SocketTaker(Protocol):
    """Who takes for this process's sockets: the fan-out."""

    def publish_relayed(self, payloads: list[bytes]) -> tuple[bool, list[str], list[RelayedEvent]]:
        """Takes frames; whether one was malformed, texts of metrics, and the events."""

    def wait_time(self) -> float:
        """Seconds to wait at most, since it is behind; `CaughtUp` tells when it may be less."""

    def count_gap(self, reason: str, at_most: int) -> None:
        """Counts a loss that nobody can number."""

    def count_relayed(self, routed: int, no_subscriber: int) -> None:
        """Counts events that nobody in this process took, by whether somebody else did."""


class RedisTaker(Protocol):
    """Who takes for the other members of groups in Redis."""

    @property
    def is_full(self) -> bool:
        """Whether too much waits."""

    def offer(self, events: Sequence[tuple[str, bytes, bool]]) -> None:
        """Events as group, text, and whether somebody has taken it already."""

    def store(self, key: str, value: str) -> None:
        """A value to be kept."""


class Source(Protocol):
    """A link that events come from."""

    def pause_reading(self) -> None:
        """Lets them wait in the kernel."""

    def resume_reading(self) -> None:
        """Reads the node's frames again."""
