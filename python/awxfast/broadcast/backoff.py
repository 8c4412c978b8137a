"""How long to wait before dialling again: from 100 ms, doubling, up to 10 s, each time somewhat less at random."""

import random
from collections.abc import Callable

FIRST = 0.1
LONGEST = 10.0

STEADY = 10.0
"""Seconds that a link must have lasted for the next loss to count as the first: a peer that drops each one at once is
not dialled ten times a second."""


class Backoff:
    """The pauses of one peer. `rng` gives numbers from 0 up to 1."""

    def __init__(self, rng: Callable[[], float] = random.random) -> None:
        self._rng = rng
        self._pause = FIRST

    def next_pause(self, spent: float = 0.0) -> float:
        """Seconds until the next try, after one that took `spent`: a peer that hangs costs no more time than others.

        Growing ones are cut by up to a half, so that nodes fall out of step.
        """
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST)
        cut = 0.5 if pause < LONGEST else 0.02
        return max(pause * (1 - cut * self._rng()) - spent, FIRST / 2)

    def note_link(self, lasted: float) -> None:
        """A link was there for so many seconds."""
        if lasted >= STEADY:
            self._pause = FIRST
