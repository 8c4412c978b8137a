"""Secret headers of nodes that were used: what `--nonce-replay refuse` must know whichever child serves."""

import heapq
import time
from collections.abc import Callable

MOST = 65_536
"""Headers that are kept, as many as a child keeps; past it the one goes that will be stale first."""


class UsedHeaders:
    """Main's memory of them, as sent, for as long as their nonces are fresh; `tolerance` in seconds."""

    def __init__(self, tolerance: int, now: Callable[[], float] = time.time, most: int = MOST) -> None:
        self._tolerance = tolerance
        self._now = now
        self._most = most
        self._by_nonce: list[tuple[int, str]] = []

    def add(self, header: str) -> None:
        """One that a child has accepted, so its form is right: `[HMAC-SHA256 ]NONCE:DIGEST`."""
        nonce, _, _ = header.rpartition(" ")[2].partition(":")
        heapq.heappush(self._by_nonce, (int(nonce), header))
        self._forget()

    def list_fresh(self) -> list[str]:
        """Those that somebody could send again."""
        self._forget()
        return [header for _, header in self._by_nonce]

    def _forget(self) -> None:
        oldest = int(self._now()) - self._tolerance
        while self._by_nonce and (self._by_nonce[0][0] < oldest or len(self._by_nonce) > self._most):
            heapq.heappop(self._by_nonce)
