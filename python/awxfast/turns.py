"""Shares the turns of the event loop: so much work in each, whoever it is for, and nobody waits long for a turn."""

import asyncio
import collections
from collections.abc import Callable


class Turns:
    """So much in a turn, the rest in the next ones: first come, first served."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = most
        self._waiting: collections.deque[tuple[int, asyncio.Future[None]]] = collections.deque()
        self._next: asyncio.Handle | None = None

    async def take(self, amount: int) -> None:
        """Returns when this turn has room for so much; at once if it has. More than a turn has gets one of its own."""
        if not self.take_at_once(amount):
            await self._wait(amount)

    def take_at_once(self, amount: int) -> bool:
        """The same for whoever goes another way if this turn has no room; whether it had."""
        if self._waiting or not self._has_room(amount):
            return False
        self._spend(amount)
        return True

    def call(self, amount: int, callback: Callable[[], None]) -> None:
        """The same for whoever can't wait: it is called back, at once if there is room."""
        if self.take_at_once(amount):
            callback()
        else:
            self._wait(amount).add_done_callback(lambda _: callback())

    def _wait(self, amount: int) -> asyncio.Future[None]:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((amount, turn))
        return turn

    def _has_room(self, amount: int) -> bool:
        return amount <= self._left or self._left == self._most

    def _spend(self, amount: int) -> None:
        self._left -= amount
        if self._next is None:
            self._next = asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self._next = None
        self._left = self._most
        while self._waiting and self._has_room(self._waiting[0][0]):
            amount, turn = self._waiting.popleft()
            if not turn.done():  # else whoever waited was cancelled
                self._spend(amount)
                turn.set_result(None)
