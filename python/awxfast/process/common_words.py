"""What one of several serving processes does together with the others when it starts (`common_start` is main's end)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from awxfast.app.fellows import Fellows
from awxfast.system.shares import Shares


class CommonWords:
    """Says how far this process is, and waits for main's word, or until `stopped`."""

    def __init__(self, tell: Callable[[str], None], stopped: asyncio.Event) -> None:
        self._tell = tell
        self._stopped = stopped
        self._heard = {"register": asyncio.Event(), "listen": asyncio.Event()}

    def hear(self, word: str) -> None:
        """Main's word: all others are as far."""
        self._heard[word].set()

    async def wait_to_register(self) -> None:
        """The application is imported."""
        await self._wait("imported", "register")

    async def wait_to_listen(self) -> None:
        """All is there but the listening."""
        await self._wait("prepared", "listen")

    async def _wait(self, told: str, word: str) -> None:
        self._tell(told)
        waits = [asyncio.ensure_future(one.wait()) for one in (self._heard[word], self._stopped)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for one in waits:
            one.cancel()


def find_fellows(
    start: Mapping[str, Any],
    claim_header: Callable[[str], Awaitable[bool]],
    wait_until_ready: Callable[[], Awaitable[None]],
) -> Fellows | None:
    """The other workers that main has told of."""
    worker = start.get("worker") or {"count": 1}
    if worker["count"] == 1:
        return None
    shares = Shares.open(worker["shares"], worker["number"], start.get("generation", 0))
    return Fellows(shares, claim_header, wait_until_ready)
