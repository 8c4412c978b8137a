"""Time limits that are the same for all connections: one timer for all of them.

A timer of the loop for each costs a handshake more than the look at its head.
"""

import asyncio
import collections
import logging
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from awxfast.late_timeouts import call_after_reading
from awxfast.turns import do_some

log = logging.getLogger(__name__)

RESOLUTION = 0.02
"""Seconds between two looks at who is late."""

Waiting = TypeVar("Waiting")


class Timeouts(Generic[Waiting]):
    """Whose time runs. `seconds` each from `start` on, then `end` is called; negative: for ever."""

    def __init__(self, seconds: float, end: Callable[[Waiting], None]) -> None:
        self._seconds = seconds
        self._end = end
        self._due: collections.OrderedDict[Waiting, float] = collections.OrderedDict()
        """In order, since each comes with the same time, at the end."""
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, waiting: Waiting) -> None:
        """The time begins, unless it runs already."""
        if self._seconds < 0 or waiting in self._due:
            return
        loop = self._loop = self._loop or asyncio.get_running_loop()  # whose look-up is a system call
        self._due[waiting] = due = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(due, call_after_reading, self._end_late)

    def restart(self, waiting: Waiting) -> None:
        """The time begins, anew if it runs already."""
        self._due.pop(waiting, None)
        self.start(waiting)

    def stop(self, waiting: Waiting) -> None:
        """Nobody waits any more."""
        self._due.pop(waiting, None)

    def _end_late(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if do_some(self._end_those_due(now)):
            call_after_reading(self._end_late)
        elif self._due:
            due = next(iter(self._due.values()))
            self._timer = loop.call_at(max(due, now + RESOLUTION), call_after_reading, self._end_late)
        else:
            self._timer = None

    def _end_those_due(self, now: float) -> Iterator[None]:
        while self._due:
            waiting, due = next(iter(self._due.items()))
            if due > now:
                return
            del self._due[waiting]
            try:
                self._end(waiting)
            except Exception:
                log.exception("a time limit failed")
            yield
