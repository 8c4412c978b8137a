"""Log lines that outsiders can cause: each kind at most once in a while, with the number of those left out."""

import asyncio
import dataclasses
import logging
import time
from collections.abc import Callable

QUIET_SECONDS = 10.0
MOST_KINDS = 100
"""Kinds in one such time: some are made of addresses, which may be anybody's invention."""


@dataclasses.dataclass(slots=True)
class Silent:
    """Lines of one kind that were left out since the last one: how many, and the latest."""

    count: int
    latest: str


class QuietLog:
    """Writes to `logger`, a line a kind and `seconds`; None: `QUIET_SECONDS`."""

    def __init__(
        self, logger: logging.Logger, now: Callable[[], float] = time.monotonic, seconds: float | None = None
    ) -> None:
        self._logger = logger
        self._now = now
        self._seconds = QUIET_SECONDS if seconds is None else seconds
        self._written: dict[str, float] = {}
        self._silent: dict[str, Silent] = {}
        self._others = 0

    def warn(self, kind: str, text: str) -> None:
        """A warning, unless one of the same kind was written just before, or too many of other kinds.

        What was left out is told when that time is over: the latest line of the kind, and how many more there were.
        """
        now = self._now()
        if kind not in self._written and len(self._written) >= MOST_KINDS:
            self._forget(now)
        wait = self._written.get(kind, now - self._seconds) + self._seconds - now
        if wait > 0:
            self._keep(kind, text, wait)
        elif kind in self._written or len(self._written) < MOST_KINDS:
            self._write(kind, text)
        else:
            self._others += 1
            if self._others == 1:
                self._call_later(self._seconds, self.flush_others)

    def flush(self, kind: str) -> None:
        """Tells what was left out of a kind."""
        if silent := self._silent.get(kind):
            silent.count -= 1
            self._write(kind, silent.latest)

    def flush_others(self) -> None:
        """Tells how many lines found no room among those of other kinds."""
        count, self._others = self._others, 0
        if count:
            self._logger.warning("%d more lines about others were left out", count)

    def _keep(self, kind: str, text: str, wait: float) -> None:
        silent = self._silent.setdefault(kind, Silent(0, text))
        silent.count += 1
        silent.latest = text
        if silent.count == 1:
            self._call_later(wait, self.flush, kind)

    def _call_later(self, seconds: float, call: Callable[..., None], *arguments: str) -> None:
        """Where there is no loop the next line tells it."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        loop.call_later(seconds, call, *arguments)

    def _forget(self, now: float) -> None:
        """Kinds whose time is over, and of which nothing was left out."""
        self._written = {
            kind: at for kind, at in self._written.items() if now - at < self._seconds or kind in self._silent
        }

    def _write(self, kind: str, text: str) -> None:
        self._written[kind] = self._now()
        silent = self._silent.pop(kind, None)
        more = f" ({silent.count} more like it since the last line)" if silent and silent.count else ""
        others = f" ({self._others} more lines about others were left out)" if self._others else ""
        self._others = 0
        self._logger.warning("%s%s%s", text, more, others)
