"""How long to wait before dialling again: from 100 ms, doubling, up to 10 s, each time somewhat less at random."""

import random
from collections.abc import Callable

from awxfast.pauses import Pauses

FIRST = 0.1
LONGEST = 10.0
CUT_OF_LONGEST = 0.02
"""Nodes are out of step by then."""

STEADY = 10.0
"""Seconds that a link must have lasted for the next loss to count as the first: a peer that drops each one at once is
not dialled ten times a second."""


class Backoff:
    """The pauses of one peer. `rng` gives numbers from 0 up to 1."""

    def __init__(self, rng: Callable[[], float] = random.random) -> None:
        self._pauses = Pauses(FIRST, LONGEST, rng, cut_of_longest=CUT_OF_LONGEST)

    def next_pause(self, spent: float = 0.0) -> float:
        """Seconds until the next try, after one that took `spent`: a peer that hangs costs no more time than others."""
        return max(self._pauses.take() - spent, FIRST / 2)

    def note_link(self, lasted: float) -> None:
        """A link was there for so many seconds."""
        if lasted >= STEADY:
            self._pauses.begin_again()
