"""What is said when queues are full: at most a line a second, whatever is sent."""

import logging
import time
from collections.abc import Callable

log = logging.getLogger("awxfast.producer")

QUIET = 1.0
"""Seconds between two lines."""


class FullQueues:
    """Counts messages that Redis did not take. `dropped` is exact; one that several queues refuse counts for each."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._said = -QUIET
        self._unsaid = 0
        self.dropped = 0

    def count(self, group: str, dropped: int, queues: int) -> None:
        """Notes `dropped` of `queues` copies of one message to `group`."""
        self.dropped += dropped
        self._unsaid += dropped
        now = self._now()
        if now - self._said >= QUIET:
            log.warning(
                "group %s: %d of %d queues are full, %d messages were dropped since the last such line; "
                "does a server that reads them stand still?",
                group,
                dropped,
                queues,
                self._unsaid,
            )
            self._said, self._unsaid = now, 0
