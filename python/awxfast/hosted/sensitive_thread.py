"""The one thread that runs an application's thread-sensitive code (asgiref's `sync_to_async`), such as Django's.

Channels asks it before every message whether database connections are too old, so its overhead is a good part of what
a message costs: two futures, a condition and a wake-up of the loop each, in the standard library's executor.
"""

import asyncio
import collections
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import SyncToAsync

from awxfast.turns import do_some

Call = tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...], dict[str, Any]]
Outcome = tuple[asyncio.Future[Any], Any, BaseException | None]

TURN_OUTCOMES = 16
"""Callers that go on in a turn of the loop."""


class SensitiveThread(ThreadPoolExecutor):
    """One thread, as such code demands. For calls from `loop` it wakes each side once for all that waits."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(max_workers=1, thread_name_prefix="sensitive")
        self.loop = loop
        self.was_used = True
        """Set by each call that runs; whoever clears it knows by it that none has since."""
        self._calls: collections.deque[Call] = collections.deque()
        self._outcomes: collections.deque[Outcome] = collections.deque()
        self._thread_told = False
        self._loop_told = False

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """A future of the loop that asks; other loops and threads get the standard library's."""
        if asyncio._get_running_loop() is not self.loop:
            return super().submit(self._run, call, *args, **kwargs)
        future = self.loop.create_future()
        self._calls.append((future, call, args, kwargs))
        if not self._thread_told:
            self._thread_told = True
            super().submit(self._work_off)
        return future

    def _work_off(self) -> None:
        """Runs what waits now. What comes from here on has told the thread again, behind the calls of others."""
        self._thread_told = False
        for _ in range(len(self._calls)):
            future, call, args, kwargs = self._calls.popleft()
            if future.cancelled():
                continue
            try:
                self._outcomes.append((future, self._run(call, *args, **kwargs), None))
            except BaseException as error:  # as the standard library: whoever waits gets it
                self._outcomes.append((future, None, error))
            if not self._loop_told:
                self._loop_told = True
                self.loop.call_soon_threadsafe(self._settle)

    def _run(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.was_used = True
        return return_from(call, *args, **kwargs)

    def _settle(self) -> None:
        """So many in a turn: after a busy moment of the loop there may be many, and a consumer goes on behind each."""
        self._loop_told = False
        if len(self._outcomes) > TURN_OUTCOMES:
            self._loop_told = True
            self.loop.call_soon(self._settle)
        do_some(self._settle_each(), TURN_OUTCOMES)

    def _settle_each(self) -> Iterator[None]:
        while self._outcomes:
            future, result, error = self._outcomes.popleft()
            if future.done():  # cancelled while its call ran
                pass
            elif error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
            yield


def return_from(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What a call returns. No future can carry its StopIteration, so that is a RuntimeError, as from a coroutine."""
    try:
        return call(*args, **kwargs)
    except StopIteration as error:
        raise RuntimeError("synchronous code raised StopIteration, which can't be raised into a coroutine") from error


def replace_sensitive_thread(loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    """Puts a `SensitiveThread` in the place of asgiref's own executor; returns how to undo it."""
    former, ours = SyncToAsync.single_thread_executor, SensitiveThread(loop)
    SyncToAsync.single_thread_executor = ours

    def restore() -> None:
        if SyncToAsync.single_thread_executor is ours:
            SyncToAsync.single_thread_executor = former
        ours.shutdown(wait=False)

    return restore
