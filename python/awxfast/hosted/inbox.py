"""What the browser sent and the application has not received yet."""

import collections
from typing import Any

from awxfast.hosted.waiters import Waiters

MOST_BYTES = 4_194_304
"""How much of one socket waits at most."""
MOST_BYTES_OF_ALL = 268_435_456
"""Of a process: past it a socket waits with its first message, not with its last."""
MESSAGE_OVERHEAD = 512
"""What a message takes in memory besides its text or bytes."""


class Unreceived:
    """How much waits in all inboxes of a process."""

    __slots__ = ("most", "size")

    def __init__(self, most: int = MOST_BYTES_OF_ALL) -> None:
        self.most = most
        self.size = 0


class Inbox:
    """A queue that says when it is full; whoever fills it then stops reading.

    An empty one never is: so whoever takes the last message sees that there can be more.
    """

    __slots__ = ("_all", "_messages", "_size", "_waiters")

    def __init__(self, unreceived: Unreceived) -> None:
        self._all = unreceived
        self._messages: collections.deque[tuple[dict[str, Any], int]] = collections.deque()
        self._size = 0
        self._waiters = Waiters()

    @property
    def is_full(self) -> bool:
        """Whether no more should come until some is taken."""
        return self._size >= MOST_BYTES or (self._all.size >= self._all.most and self._size > 0)

    @property
    def is_awaited(self) -> bool:
        """Whether whoever takes messages has had all of them, and waits for the next one."""
        return not self._messages and self._waiters.are_there

    @property
    def waiting(self) -> list[dict[str, Any]]:
        """Those that are there, the oldest first."""
        return [message for message, _ in self._messages]

    def put(self, message: dict[str, Any], size: int = 0) -> bool:
        """Adds a message that takes so much memory; 0: it is none of the browser's. Whether the inbox is full then."""
        if size:
            size += MESSAGE_OVERHEAD
        self._messages.append((message, size))
        self._size += size
        self._all.size += size
        self._waiters.wake_next()
        return (self._size >= MOST_BYTES or self._all.size >= self._all.most) and self.is_full

    async def get(self) -> dict[str, Any]:
        """The next message. Several may wait; one that is cancelled takes nothing along."""
        while not self._messages:
            await self._waiters.wait()
        message, size = self._messages.popleft()
        self._size -= size
        self._all.size -= size
        return message

    def discard(self) -> None:
        """Nobody will take what waits."""
        self._messages.clear()
        self._all.size -= self._size
        self._size = 0
