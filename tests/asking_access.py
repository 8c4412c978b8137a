"""An access that has to ask somebody else, and waits for a test to answer."""

import asyncio

from awxfast.native.access import Identity, RefuseAccess
from awxfast.wire.request import Request


class AskingAccess(RefuseAccess):
    """Has to ask somebody else who it is."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[Identity | None] = asyncio.get_running_loop().create_future()
        self.asked = 0

    async def identify(self, request: Request) -> Identity | None:  # type: ignore[override]
        self.asked += 1
        return await asyncio.shield(self.answer)
