"""Connections that wait for their next use. Safe across threads, loops and forks."""

import collections
import contextlib
import os
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import hiredis

from awxfast.producer.master import connect_to_master, may_have_moved
from awxfast.producer.redis_socket import RedisSocket
from awxfast.redis.address import RedisAddress
from awxfast.wire.group_send import Script, Word

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
        borrowed = self._take() or connect_to_master(self._address)
        try:
            yield borrowed
        except BaseException:
            borrowed.close()
            raise
        if len(self._idle) < MOST_KEPT:
            self._idle.append(borrowed)
        else:
            borrowed.close()

    def ask(self, *words: Word) -> Any:
        """One command on one of them, in code that may block. Raises `ConnectionError`, and `hiredis.ReplyError`."""
        return self._ask_master(lambda redis: redis.ask(*words))

    def run_script(self, script: Script, words: Sequence[Word]) -> Any:
        """The same with a script."""
        return self._ask_master(lambda redis: redis.run_script(script, words))

    def _ask_master(self, step: Callable[[RedisSocket], Any]) -> Any:
        """A second time where Sentinel may name another master by now: the others to the former one go."""
        try:
            with self.borrow() as redis:
                return step(redis)
        except (ConnectionError, hiredis.ReplyError) as error:
            if not self._address.master_name or not may_have_moved(error):
                raise
        self.close()
        with self.borrow() as redis:
            return step(redis)

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
