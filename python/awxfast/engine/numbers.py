"""How far each publisher's count of each group has come here: what is missing, and what has been here before.

A publisher counts the events of a group from 1, anew with each epoch (`wire/engine_packets`).
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from awxfast.wire.engine_packets import Origin

MOST_COUNTS = 100_000
MOST_OF_A_GROUP = 2_000
"""Publishers that are counted in one group; past it the one that was heard first is forgotten."""
DOUBT_SECONDS = 10.0
"""How long a publisher's events come in order and are all known, until the number that says so is no longer believed.
One packet of somebody else in its name can have said it."""
MOST_DOUBTED = 1_000


class Numbers:
    """Bounded: past it the counts of the group that was heard first are forgotten, and begin anew."""

    def __init__(self, most: int = MOST_COUNTS, now: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._now = now
        self._groups: dict[str, dict[str, tuple[int, int]]] = {}
        self._size = 0
        self._cut: set[str] = set()
        self._doubted: dict[tuple[str, str], tuple[int, float]] = {}
        """Whose events are all known: the number that would come next, and since when they come in order."""

    def __len__(self) -> int:
        return self._size

    def take(self, group: str, origin: Origin, first: int, last: int) -> tuple[int, int]:
        """Events with these numbers come: how many are missing before them, at most; how many of them are known.

        Whoever is heard for the first time sets the number to begin with. Of no events `last` is one less than `first`.
        """
        counts = self._groups.setdefault(group, {})
        known = counts.get(origin.publisher)
        counts[origin.publisher] = (origin.epoch, last)
        if known is None:
            self._size += 1
            self._make_room(group, counts)
            return (first - 1 if group in self._cut else 0), 0
        epoch, before = known
        if epoch != origin.epoch:
            return first - 1, 0
        if last > before:
            if self._doubted:
                self._doubted.pop((group, origin.publisher), None)
        elif first <= last and self._doubt((group, origin.publisher), first, last):
            return 0, 0
        if last < before:
            counts[origin.publisher] = known
        return max(first - before - 1, 0), max(min(before, last) - first + 1, 0)

    def _doubt(self, key: tuple[str, str], first: int, last: int) -> bool:
        """Whether what is known has come in order, and nothing else, for so long that it is new."""
        now = self._now()
        follows, since = self._doubted.pop(key, (first, now))
        if follows == first and now - since >= DOUBT_SECONDS:
            return True
        if len(self._doubted) >= MOST_DOUBTED:
            self._doubted.clear()
        self._doubted[key] = last + 1, since if follows == first else now
        return False

    def note_cut(self, groups: Iterable[str]) -> None:
        """Events of these may have been missed: of whoever is heard for the first time, too, all before it."""
        self._cut.update(groups)

    def forget(self, groups: Iterable[str]) -> None:
        """Nobody here wants these any more."""
        for group in groups:
            self._size -= len(self._groups.pop(group, ()))
            self._cut.discard(group)

    def _make_room(self, kept: str, counts: dict[str, tuple[int, int]]) -> None:
        if len(counts) > MOST_OF_A_GROUP:
            del counts[next(iter(counts))]
            self._size -= 1
        while self._size > self._most and len(self._groups) > 1:
            oldest = next(group for group in self._groups if group != kept)
            self._size -= len(self._groups.pop(oldest))

    def freeze(self) -> Sequence[Any]:
        """All counts, as JSON has them."""
        counts = {
            group: [[publisher, *count] for publisher, count in counts.items()]
            for group, counts in self._groups.items()
        }
        return [counts, [*self._cut]]

    def inherit(self, frozen: Sequence[Any]) -> None:
        """What `freeze` gave in the process before this one; nothing was counted here yet."""
        counts: Mapping[str, Sequence[tuple[str, int, int]]] = frozen[0]
        self._groups = {
            group: {publisher: (epoch, last) for publisher, epoch, last in of_group}
            for group, of_group in counts.items()
        }
        self._size = sum(map(len, self._groups.values()))
        self._cut.update(frozen[1])
