"""Secret headers of nodes that were used: what `--nonce-replay refuse` must know whichever child serves."""

import heapq
import time
from collections.abc import Callable, Sequence
from typing import Any

MOST = 65_536
"""Headers that are kept, as many as a child keeps; past it the one goes that will be stale first."""


class UsedHeaders:
    """Main's memory of them, as sent, for as long as their nonces are fresh; `tolerance` in seconds.

    `now` may step: what is stale by it is kept until `steady`, which only goes forward, says so as well.
    """

    def __init__(
        self,
        tolerance: int,
        now: Callable[[], float] = time.time,
        most: int = MOST,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tolerance = tolerance
        self._now = now
        self._steady = steady
        self._most = most
        self._by_nonce: list[tuple[int, str, float]] = []
        self._known: set[str] = set()

    def add(self, header: str) -> None:
        """Remembers a header that a child has accepted, so its form is right: `[HMAC-SHA256 ]NONCE:DIGEST`."""
        if header in self._known:
            return
        self._known.add(header)
        nonce, _, _ = header.rpartition(" ")[2].partition(":")
        heapq.heappush(self._by_nonce, (int(nonce), header, self._steady()))
        self._forget()

    def claim(self, header: str) -> bool:
        """Whether it was not used yet; now it is."""
        is_fresh = header not in self._known
        self.add(header)
        return is_fresh

    def list_fresh(self) -> list[str]:
        """The headers that somebody could send again."""
        self._forget()
        return [header for _, header, _ in self._by_nonce]

    def freeze(self) -> list[tuple[int, str, float]]:
        """All of them, for main's next program; of the same clocks."""
        return self._by_nonce

    def adopt(self, frozen: Sequence[Sequence[Any]]) -> None:
        """Takes the headers that `freeze` gave in main's former program."""
        self._by_nonce = [(nonce, header, added) for nonce, header, added in frozen]
        heapq.heapify(self._by_nonce)
        self._known = {header for _, header, _ in self._by_nonce}

    def _forget(self) -> None:
        while self._by_nonce and (len(self._by_nonce) > self._most or self._is_past(*self._by_nonce[0])):
            _, header, _ = heapq.heappop(self._by_nonce)
            self._known.discard(header)

    def _is_past(self, nonce: int, _: str, added: float) -> bool:
        is_stale = nonce < int(self._now()) - self._tolerance
        return is_stale and self._steady() - added > 2 * self._tolerance
