"""Groups that nobody holds any more: left after a moment and in parts, so that whoever holds one again wins."""

import asyncio
import collections
import itertools
from collections.abc import Callable, Collection, Iterable, Mapping

from awxfast.intake.members import Membership
from awxfast.turns import Turns

LEAVE_DELAY = 0.05
"""Seconds between the last release and the leave: a page that reloads costs nothing, many that close cost one write."""

PART = 100
"""Groups that are asked for, let go of or left together."""

RELEASED = 10
"""How many groups cost as much to let go of as one to leave."""


class IdleGroups:
    """Counts releases, in the members' `count`; `leave` is called with names of those that have come to nothing."""

    def __init__(self, members: Mapping[str, Membership], turns: Turns, leave: Callable[[Iterable[str]], None]) -> None:
        self._members = members
        self._turns = turns
        self._leave = leave
        self._released: collections.deque[Collection[str]] = collections.deque()
        self._timer: asyncio.TimerHandle | None = None
        self.names: set[str] = set()
        """Those that are still to be left; who holds one again, or leaves it, takes it out."""

    def release(self, groups: Iterable[str]) -> None:
        """Somebody holds each of `groups` once less."""
        released = dict.fromkeys(groups)
        if len(released) > PART:
            self._released.append(released)  # many clients may end in one turn
        else:
            self._let_go(released)
        if (self.names or self._released) and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LEAVE_DELAY, self._go_on)

    def settle(self) -> None:
        """Counts all that was released, at once."""
        while self._released:
            self._let_go(self._released.popleft())

    def stop(self) -> None:
        """Counts all, and leaves nothing by itself any more."""
        if self._timer is not None:
            self._timer.cancel()
        self.settle()

    def _let_go(self, groups: Iterable[str]) -> None:
        for group in groups:
            member = self._members[group]
            member.count -= 1
            if member.count == 0:
                self.names.add(group)

    def _go_on(self) -> None:
        """One part in each turn that has room for it."""
        if self._released:
            self._turns.call(len(self._released[0]) // RELEASED, self._let_some_go)
        elif self.names:
            self._turns.call(min(PART, len(self.names)), self._leave_some)
        else:
            self._timer = None

    def _let_some_go(self) -> None:
        if self._released:
            self._let_go(self._released.popleft())
        self._go_on()

    def _leave_some(self) -> None:
        self._leave(itertools.islice(self.names, PART))
        self._go_on()
