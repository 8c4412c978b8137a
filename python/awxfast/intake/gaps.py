"""Losses that nobody can count in events: how many they are at most."""

import math

EVENTS_A_SECOND_AT_MOST = 50_000
"""More than any Redis takes from producers: a stock `group_send` (four commands and a script) costs it 54 to 77 us."""


def most_events_in(seconds: float) -> int:
    """An upper bound of what producers sent during a time that nobody watched."""
    return math.ceil(max(0.0, seconds) * EVENTS_A_SECOND_AT_MOST)
