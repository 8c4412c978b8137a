"""Who has to be back after a cut before what waits is published: who is not subscribed again yet would miss it."""

import asyncio
from collections.abc import Callable, Iterable

HOLD_SECONDS = 3.0
"""How long what waits is held for those who say nothing."""
LONGEST_HOLD = 10.0
"""The same where one cut follows the other."""


class RollCall:
    """`hold` and `release` are called at the beginning and the end of each."""

    def __init__(self, hold: Callable[[], None], release: Callable[[], None]) -> None:
        self._hold = hold
        self._release = release
        self._missing: set[str] = set()
        self._limit: asyncio.TimerHandle | None = None
        self._began = 0.0

    @property
    def is_under_way(self) -> bool:
        """Whether anybody is waited for."""
        return bool(self._missing)

    def begin(self, whos: Iterable[str]) -> None:
        """After a cut these have to say something. One that is under way begins anew, as they were cut off, too."""
        self._missing = set(whos)
        if not self._missing:
            self.end()
            return
        loop = asyncio.get_running_loop()
        if self._limit is None:
            self._began = loop.time()
        self._stop_clock()
        self._hold()
        self._limit = loop.call_at(min(loop.time() + HOLD_SECONDS, self._began + LONGEST_HOLD), self.end)

    def note(self, who: str) -> None:
        """Has said something, or is gone."""
        self._missing.discard(who)
        if not self._missing:
            self.end()

    def end(self) -> None:
        """Nobody is waited for any more."""
        self._missing.clear()
        if self._limit is not None:
            self._stop_clock()
            self._release()

    def _stop_clock(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
