"""Log lines that outsiders can cause: each kind at most once in a while, with the number of those left out."""

import logging
import time
from collections.abc import Callable

QUIET_SECONDS = 10.0


class QuietLog:
    """Writes to `logger`. The kinds come from our own code, so there are only a few of them."""

    def __init__(self, logger: logging.Logger, now: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._now = now
        self._written: dict[str, float] = {}
        self._silent: dict[str, int] = {}

    def warn(self, kind: str, text: str) -> None:
        """A warning, unless one of the same kind was written less than `QUIET_SECONDS` ago."""
        now = self._now()
        if now - self._written.get(kind, -QUIET_SECONDS) < QUIET_SECONDS:
            self._silent[kind] = self._silent.get(kind, 0) + 1
            return
        self._written[kind] = now
        silent = self._silent.pop(kind, 0)
        self._logger.warning("%s%s", text, f" ({silent} more like it since the last line)" if silent else "")
