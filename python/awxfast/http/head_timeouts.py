"""How long connections may take over a request's head: one timer for all, since all have the same time.

A timer of the loop for each costs a handshake more than the look at its head.
"""

import asyncio
from typing import Protocol

from awxfast.reading_first import call_after_reading


class Reader(Protocol):
    """Who reads a head."""

    def end_late_head(self) -> None:
        """The time is up."""


class HeadTimeouts:
    """Whose heads are awaited. `seconds` each from `start` on; negative: for ever."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due: dict[Reader, float] = {}
        """In order, since each comes with the same time, at the end."""
        self._timer: asyncio.TimerHandle | None = None

    def start(self, reader: Reader) -> None:
        """The time begins, unless it runs already."""
        if self._seconds < 0 or reader in self._due:
            return
        loop = asyncio.get_running_loop()
        self._due[reader] = due = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(due, call_after_reading, self._end_late)

    def stop(self, reader: Reader) -> None:
        """The head is whole, or nobody waits for it any more."""
        self._due.pop(reader, None)

    def _end_late(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        for reader, due in list(self._due.items()):
            if due > now:
                self._timer = loop.call_at(due, call_after_reading, self._end_late)
                return
            del self._due[reader]
            reader.end_late_head()
