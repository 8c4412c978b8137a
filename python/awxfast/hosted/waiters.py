"""Who waits for a queue's messages: each message lets one go, whoever has waited longest."""

import asyncio


class Waiters:
    """Small, since each websocket has some. Whoever was let go looks again whether there is a message."""

    __slots__ = ("_loop", "_waiting")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()  # asked once: it looks up the process each time
        self._waiting: list[asyncio.Future[None]] = []

    async def wait(self) -> None:
        """Returns when a message may be there. One that is cancelled takes nobody's turn along."""
        waiter: asyncio.Future[None] = asyncio.Future(loop=self._loop)
        self._waiting.append(waiter)
        try:
            await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled():
                self.wake_next()
            else:
                self._waiting.remove(waiter)
            raise

    @property
    def are_there(self) -> bool:
        """Whether anybody waits that was not let go yet."""
        return not all(waiter.done() for waiter in self._waiting)

    def wake_next(self) -> None:
        """A message has come."""
        while self._waiting:
            waiter = self._waiting.pop(0)
            if not waiter.done():
                waiter.set_result(None)
                return
