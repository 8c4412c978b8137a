"""What became of requests: counted by result and reason, refusals logged without flooding the log."""

import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

QUIET_SECONDS = 10.0
"""After a line about a reason the next about the same one waits so long and tells how many there were."""


class Handshakes:
    """Counts handshakes and refused requests; `counts` is `{(result, reason): n}`."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.counts: dict[tuple[str, str], int] = {}
        self._now = now
        self._silent: dict[str, int] = {}
        self._logged: dict[str, float] = {}

    def accept(self, reason: str) -> None:
        """A 101 was written; `reason` says to whom."""
        self._count("accepted", reason)

    def refuse(self, reason: str, detail: str) -> None:
        """A request was refused; `detail` is the log's line, without secrets."""
        self._count("refused", reason)
        now = self._now()
        if now - self._logged.get(reason, -QUIET_SECONDS) < QUIET_SECONDS:
            self._silent[reason] = self._silent.get(reason, 0) + 1
            return
        self._logged[reason] = now
        silent = self._silent.pop(reason, 0)
        log.warning(
            "refused a request: %s%s", detail, f" ({silent} more like it since the last line)" if silent else ""
        )

    def _count(self, result: str, reason: str) -> None:
        self.counts[result, reason] = self.counts.get((result, reason), 0) + 1
