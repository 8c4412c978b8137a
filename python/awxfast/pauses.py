"""Pauses between tries, so that what is away is not asked again and again."""

import random
from collections.abc import Callable


class Pauses:
    """In seconds: from `first` doubling up to `longest`, each shortened by up to a half so that nodes fall out of step.

    `cut_of_longest` is how much is taken off the longest at most, in parts of it; `rng` gives numbers from 0 up to 1.
    """

    def __init__(
        self, first: float, longest: float, rng: Callable[[], float] = random.random, *, cut_of_longest: float = 0.5
    ) -> None:
        self._first = self._next = first
        self._longest = longest
        self._rng = rng
        self._cut_of_longest = cut_of_longest

    def take(self) -> float:
        """The next pause, in seconds; the one after it is longer."""
        pause, self._next = self._next, min(2 * self._next, self._longest)
        cut = 0.5 if pause < self._longest else self._cut_of_longest
        return pause * (1 - cut * self._rng())

    def begin_again(self) -> None:
        """What was tried has worked: the next failure is the first of a new series."""
        self._next = self._first

    def freeze(self) -> float:
        """How far the series has come, for another program that goes on with it."""
        return self._next

    def adopt(self, frozen: float) -> None:
        """Goes on with the series that `freeze` was asked of."""
        self._next = frozen


def shorten_a_little(seconds: float) -> float:
    """Of what is done again and again: processes that started together do not stay in step."""
    return seconds * random.uniform(0.8, 1.0)
