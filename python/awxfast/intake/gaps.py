"""Losses that nobody can count in events: who counts them, and how many they are at most."""

import math
from typing import Protocol

EVENTS_A_SECOND_AT_MOST = 50_000
"""More than any Redis takes from producers: a stock `group_send` (four commands and a script) costs it 54 to 77 us."""


class GapCounter(Protocol):
    """Where gaps are counted (the fan-out's ledger)."""

    def count_gap(self, reason: str, at_most: int) -> None:
        """Counts one more loss of at most so many events."""


def most_events_in(seconds: float) -> int:
    """An upper bound of what producers sent during a time that nobody watched."""
    return math.ceil(max(0.0, seconds) * EVENTS_A_SECOND_AT_MOST)
