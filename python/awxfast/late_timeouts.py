"""Time limits on what a peer sends, judged only when what it has sent already was read.

A loop that comes back from a pause (the process was stopped, or blocked) runs its due timers before it looks at its
sockets: the answer in the kernel would be taken for silence.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable


def call_after_reading(callback: Callable[[], object]) -> None:
    """Calls it when the loop has looked at its sockets once more.

    What is called soon runs before that look in uvloop; what that calls soon runs after it.
    """
    loop = asyncio.get_running_loop()
    loop.call_soon(loop.call_soon, callback)


@contextlib.asynccontextmanager
async def answered_within(seconds: float) -> AsyncIterator[None]:
    """As `asyncio.timeout`, for waiting on a peer. Raises `TimeoutError`."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as timeout:
        is_over = False

        def expire() -> None:
            if not is_over:
                timeout.reschedule(loop.time())

        timer = loop.call_later(seconds, call_after_reading, expire)
        try:
            yield
        finally:
            is_over = True
            timer.cancel()
