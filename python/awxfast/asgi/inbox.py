"""What the browser sent and the application has not received yet."""

import asyncio
import collections
from typing import Any

MOST_MESSAGES = 64
MOST_BYTES = 1_048_576


class Inbox:
    """A queue that says when it is full; whoever fills it then stops reading."""

    __slots__ = ("_arrived", "_messages", "_size")

    def __init__(self) -> None:
        self._messages: collections.deque[tuple[dict[str, Any], int]] = collections.deque()
        self._size = 0
        self._arrived: asyncio.Future[None] | None = None

    @property
    def is_full(self) -> bool:
        """Whether no more should come until some is taken."""
        return len(self._messages) >= MOST_MESSAGES or self._size >= MOST_BYTES

    def put(self, message: dict[str, Any], size: int = 0) -> None:
        """Adds a message that has so many bytes from the browser."""
        self._messages.append((message, size))
        self._size += size
        if self._arrived is not None:
            self._arrived.set_result(None)
            self._arrived = None

    async def get(self) -> dict[str, Any]:
        """The next message. Several may wait; one that is cancelled takes nothing along."""
        while not self._messages:
            if self._arrived is None:
                self._arrived = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._arrived)
        message, size = self._messages.popleft()
        self._size -= size
        return message
