"""Losses that nobody can count in events: how many they are at most."""

import math

EVENTS_A_SECOND_AT_MOST = 50_000
"""More than any Redis takes from producers: a stock `group_send` (four commands and a script) costs it 54 to 77 us."""


def most_events_in(seconds: float) -> int:
    """An upper bound of what producers sent during a time that nobody watched."""
    return math.ceil(max(0.0, seconds) * EVENTS_A_SECOND_AT_MOST)


PUBLISHED_A_SECOND_AT_MOST = 2_000_000
"""More than any Redis publishes, whatever producers send in one write: a PUBLISH costs it about a microsecond."""


def most_published_in(seconds: float) -> int:
    """The same where a message is published and not stored."""
    return math.ceil(max(0.0, seconds) * PUBLISHED_A_SECOND_AT_MOST)
