"""A cluster whose servers were all gone comes back: what goes out before all are subscribed again reaches nobody."""

import asyncio
from collections.abc import Callable

RETURN_SECONDS = 10.0
"""How long nothing goes out from the first server on: a cluster that starts needs some seconds until it is whole."""


class ClusterReturn:
    """`done` is called when it is back, or has taken too long."""

    def __init__(self, done: Callable[[], None]) -> None:
        self._done = done
        self._was_there = False
        self.is_awaited = False
        self._limit: asyncio.TimerHandle | None = None

    def note_none(self) -> bool:
        """No server answers; whether that is news."""
        is_news = self._was_there and not self.is_awaited
        self.is_awaited |= is_news
        return is_news

    def note_one(self) -> None:
        """A server answers; the others, and all subscriptions, have so many seconds from now on."""
        self._was_there = True
        if self.is_awaited and self._limit is None:
            self._limit = asyncio.get_running_loop().call_later(RETURN_SECONDS, self.note_whole)

    def note_whole(self) -> None:
        """All channels are subscribed to."""
        if self.is_awaited:
            self.forget()
            self._done()

    def forget(self) -> None:
        """Nothing waits for it any more."""
        self.is_awaited = False
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
