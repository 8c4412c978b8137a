"""Connections that wait for their next use. Safe across threads, loops and forks."""

import collections
import contextlib
import os
import weakref
from collections.abc import Iterator

from awxfast.producer.redis_socket import RedisSocket
from awxfast.redis.address import RedisAddress

MOST_KEPT = 8
"""As many calls at once keep their connection; those of further ones are closed after use."""


class KeptSockets:
    """Connections to one Redis, kept between calls."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        # Its own operations are atomic, which is all that threads need here.
        self._idle: collections.deque[RedisSocket] = collections.deque()
        _ALL.add(self)

    @contextlib.contextmanager
    def borrow(self) -> Iterator[RedisSocket]:
        """One for a call or more, used by nobody else meanwhile. Raises `ConnectionError`.

        After an error or a cancelled call it is closed: nobody knows what Redis would say to the next one.
        """
        borrowed = self._take() or RedisSocket.connect(self._address)
        try:
            yield borrowed
        except BaseException:
            borrowed.close()
            raise
        if len(self._idle) < MOST_KEPT:
            self._idle.append(borrowed)
        else:
            borrowed.close()

    def _take(self) -> RedisSocket | None:
        while self._idle:
            with contextlib.suppress(IndexError):  # another thread was faster
                kept = self._idle.pop()
                if not kept.is_stale:
                    return kept
                kept.close()
        return None

    def close(self) -> None:
        """Closes those that are idle."""
        while self._idle:
            with contextlib.suppress(IndexError):
                self._idle.pop().close()


_ALL: "weakref.WeakSet[KeptSockets]" = weakref.WeakSet()


def _let_go_of_parents() -> None:
    """In a forked child: what was idle is the parent's; two processes would get each other's replies."""
    for kept in list(_ALL):
        kept.close()


os.register_at_fork(after_in_child=_let_go_of_parents)
