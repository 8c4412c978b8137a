"""Lets those who bring events wait for whoever takes them, until they are told, without asking again and again."""

import asyncio
import contextlib

SHORTEST = 0.001
"""Seconds that a wait lasts at least, untold: the resolution of the loop's timers."""


class CaughtUp:
    """The word that takers have caught up, or some of them, and may be asked again."""

    def __init__(self) -> None:
        self._told = asyncio.Event()

    def tell(self) -> None:
        """All that wait now go on."""
        self._told.set()
        self._told.clear()

    async def wait(self, at_most: float) -> None:
        """Returns when it is told, or after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(at_most, SHORTEST)):
                await self._told.wait()
