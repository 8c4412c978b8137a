"""Shares the turns of the event loop: so much work in each, whoever it is for, and nobody waits long for a turn."""

import asyncio
import collections
import itertools
from collections.abc import Callable, Iterable, Iterator

TURN_LOOKS = 1_024
"""Looks at one of many in a turn, where there is nothing to do."""
TURN_DEEDS = 32
"""And so many where there is: each leads to more, the end of a connection to all that is done for it."""


async def spread(looks: Iterable[bool]) -> None:
    """Goes through all of them, so many a turn of the loop; each says whether it has done something."""
    left = TURN_LOOKS
    for has_done in looks:
        left -= TURN_LOOKS // TURN_DEEDS if has_done else 1
        if left <= 0:
            await asyncio.sleep(0)
            left = TURN_LOOKS


def do_some(deeds: Iterator[object], most: int = TURN_DEEDS) -> bool:
    """The same for whoever can't wait: so many of them now. Whether there may be more, which are for another turn."""
    return len(list(itertools.islice(deeds, most))) == most


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
        return not self._waiting and self._spend(amount)

    def call(self, amount: int, callback: Callable[[], None]) -> asyncio.Future[None] | None:
        """The same for whoever can't wait: it is called back, at once if there is room.

        Else it waits for what this returns, and is not called if that is cancelled.
        """
        if self.take_at_once(amount):
            callback()
            return None
        turn = self._wait(amount)
        turn.add_done_callback(lambda turn: None if turn.cancelled() else callback())
        return turn

    def _wait(self, amount: int) -> asyncio.Future[None]:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((amount, turn))
        return turn

    def _spend(self, amount: int) -> bool:
        """Whether there was room."""
        left = self._left
        if amount > left and left != self._most:
            return False
        self._left = left - amount
        if self._next is None:
            self._next = asyncio.get_running_loop().call_soon(self._begin)
        return True

    def _begin(self) -> None:
        self._next = None
        self._left = self._most
        while self._waiting:
            amount, turn = self._waiting[0]
            if turn.done():  # whoever waited was cancelled
                self._waiting.popleft()
            elif self._spend(amount):
                self._waiting.popleft()
                turn.set_result(None)
            else:
                break
