"""Channels has old database connections closed before it handles a message: a way into the thread that has them and
back, which costs more than the message itself. Where nothing has run in that thread since, it need not be gone again.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import AsyncToSync, SyncToAsync, sync_to_async

from awxfast.hosted.sensitive_thread import SensitiveThread

STANDS_FOR = 1.0
"""Seconds: connections grow old (Django's CONN_MAX_AGE) also where nothing runs."""


class OldConnections:
    """Stands in for Channels' `aclose_old_connections`. `close` is what that has run in the thread, synchronous."""

    def __init__(
        self,
        ask: Callable[[], Awaitable[None]],
        close: Callable[[], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._close = close
        self._now = now
        self._closed = float("-inf")

    async def close(self) -> None:
        """Returns when there are none that were too old a moment ago."""
        thread = find_thread()
        if thread is None:
            await self._ask()
        elif thread.was_used or self._now() - self._closed >= STANDS_FOR:
            await sync_to_async(self._close_in)(thread)

    def _close_in(self, thread: SensitiveThread) -> None:
        self._close()
        self._closed = self._now()
        thread.was_used = False


def find_thread() -> SensitiveThread | None:
    """Where asgiref would have a thread-sensitive call from here run, if that is our thread."""
    thread = SyncToAsync.single_thread_executor
    loop = asyncio.get_running_loop()
    if not isinstance(thread, SensitiveThread) or loop is not thread.loop:
        return None
    elsewhere = (
        SyncToAsync.thread_sensitive_context.get(None)
        or loop in getattr(AsyncToSync, "loop_thread_executors", ())
        or getattr(AsyncToSync.executors, "current", None)
    )
    return None if elsewhere else thread


def close_old_connections_seldom() -> Callable[[], None]:
    """Has consumers of Channels ask `OldConnections`, if there is a Channels that asks; returns how to undo it."""
    consumer: Any = sys.modules.get("channels.consumer")
    database: Any = sys.modules.get("channels.db")
    former = getattr(consumer, "aclose_old_connections", None)
    if former is None or not hasattr(database, "close_old_connections"):
        return lambda: None

    def close() -> None:
        database.close_old_connections()

    consumer.aclose_old_connections = OldConnections(former, close).close

    def restore() -> None:
        consumer.aclose_old_connections = former

    return restore
