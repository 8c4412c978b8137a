"""What became of requests: counted by result and reason, refusals logged without flooding the log."""

import logging
import time
from collections.abc import Callable

from awxfast.quiet_log import QuietLog
from awxfast.wire.handshake import Reason


class Outcomes:
    """Counts handshakes and refused requests; `counts` is `{(result, reason): n}`."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.counts: dict[tuple[str, str], int] = {}
        self._log = QuietLog(logging.getLogger(__name__), now)

    def accept(self, reason: str) -> None:
        """A 101 was written; `reason` says to whom."""
        self._count("accepted", reason)

    def refuse(self, reason: Reason, subject: str, text: str) -> None:
        """A request was refused. `subject` says which, without secrets; empty: its line is written already.

        `text` is what is wrong, the same each time, so that no kind hides another in the log.
        """
        self._count("refused", reason)
        if subject:
            self._log.warn(text, f"refused ({reason}) {subject}: {text}")

    def _count(self, result: str, reason: str) -> None:
        self.counts[result, reason] = self.counts.get((result, reason), 0) + 1
