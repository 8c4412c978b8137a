"""A worker's questions to main: whether a node's secret header was used in none of the workers."""

import asyncio
from collections.abc import Callable


class HeaderClaims:
    """Questions that wait for main's word. `ask` sends one."""

    def __init__(self, ask: Callable[[str], None]) -> None:
        self._ask = ask
        self._waiting: dict[str, asyncio.Future[bool]] = {}

    async def claim(self, header: str) -> bool:
        """Whether it was used nowhere; only this process has it from now on."""
        if header in self._waiting:
            return False
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[header] = answer
        self._ask(header)
        try:
            return await answer
        finally:
            del self._waiting[header]

    def receive(self, header: str, *, fresh: bool) -> None:
        """Main's word; whoever asked may have given up."""
        answer = self._waiting.get(header)
        if answer is not None and not answer.done():
            answer.set_result(fresh)
