"""The groups that somebody elsewhere wants, and which of them this process is in by now: to join one costs time."""

import asyncio
import collections
from collections.abc import Iterable
from typing import Protocol

from awxfast.intake.group_holder import STEP

MANY_JOINING = 1_000
"""Groups that are being joined at a time, each by a task of 2 KB, are many: their Redis may be slow, or away."""
JOINING_SECONDS = 0.02
"""After which the next follow, for each so many: another Redis may be there."""


class Joined(Protocol):
    """Who joins groups of this node's Redis, however many want each."""

    @property
    def joining(self) -> int:
        """Groups that are wanted and not joined yet."""

    def want(self, group: str) -> None:
        """One more wants it, perhaps the first."""

    def unwant(self, group: str) -> None:
        """One less wants it; nobody may be left."""


class WantedGroups:
    """Counts who wants each group, and is in those that anybody wants; nothing is joined before `begin`."""

    def __init__(self, joined: Joined) -> None:
        self._joined = joined
        self._counts: collections.Counter[str] = collections.Counter()
        self._held: set[str] = set()
        self._changed: dict[str, None] = {}
        self._turn: asyncio.Handle | None = None  # also of a timer
        self._has_begun = False

    def __contains__(self, group: object) -> bool:
        return group in self._counts

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, groups: Iterable[str]) -> None:
        """One more wants each."""
        for group in groups:
            self._counts[group] += 1
            if self._counts[group] == 1:
                self._change(group)

    def remove(self, groups: Iterable[str]) -> None:
        """One less wants each."""
        for group in groups:
            self._counts[group] -= 1
            if not self._counts[group]:
                del self._counts[group]
                self._change(group)

    def begin(self) -> None:
        """Joins what is wanted, as far as it goes all at once, and from now on what will be."""
        self._has_begun = True
        while self._changed and self._joined.joining < MANY_JOINING:
            self._follow_some()
        if self._turn is None:
            self._go_on()

    def end(self) -> None:
        """None is joined or left any more."""
        self._has_begun = False
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _change(self, group: str) -> None:
        self._changed[group] = None
        if self._turn is None and self._has_begun:
            self._go_on()

    def _go_on(self) -> None:
        loop = asyncio.get_running_loop()
        wait = self._joined.joining // MANY_JOINING * JOINING_SECONDS
        if not self._changed:
            self._turn = None
        elif wait:
            self._turn = loop.call_later(wait, self._next_turn)
        else:
            self._turn = loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._follow_some()
        self._go_on()

    def _follow_some(self) -> None:
        for _ in range(min(STEP, len(self._changed))):
            group, _none = self._changed.popitem()
            if group in self._counts and group not in self._held:
                self._held.add(group)
                self._joined.want(group)
            elif group not in self._counts and group in self._held:
                self._held.discard(group)
                self._joined.unwant(group)
