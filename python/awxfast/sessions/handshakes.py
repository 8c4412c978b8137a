"""What became of requests: counted by result and reason, refusals logged without flooding the log."""

import logging
import time
from collections.abc import Callable

from awxfast.quiet_log import QuietLog


class Handshakes:
    """Counts handshakes and refused requests; `counts` is `{(result, reason): n}`."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.counts: dict[tuple[str, str], int] = {}
        self._log = QuietLog(logging.getLogger(__name__), now)

    def accept(self, reason: str) -> None:
        """A 101 was written; `reason` says to whom."""
        self._count("accepted", reason)

    def refuse(self, reason: str, detail: str) -> None:
        """A request was refused; `detail` is the log's line, without secrets; empty: none."""
        self._count("refused", reason)
        if detail:
            self._log.warn(reason, f"refused a request: {detail}")

    def _count(self, result: str, reason: str) -> None:
        self.counts[result, reason] = self.counts.get((result, reason), 0) + 1
