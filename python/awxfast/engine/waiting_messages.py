"""What waits to be sent to an engine that is away or slow: bounded, and the oldest go."""

from collections import deque
from collections.abc import Callable

from awxfast.engine.carrier import QUEUE_BYTES, QUEUE_MESSAGES

Message = tuple[str, bytes, int]
"""Its channel, its bytes, and how many events are in it."""


class WaitingMessages:
    """In the order in which they came. `note_lost` is told of events that went, and why."""

    def __init__(
        self, note_lost: Callable[[int, str], None], most: int = QUEUE_MESSAGES, most_bytes: int = QUEUE_BYTES
    ) -> None:
        self._note_lost = note_lost
        self._most = most
        self._most_bytes = most_bytes
        self._messages: deque[Message] = deque()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, channel: str, message: bytes, events: int) -> None:
        """At the end; the oldest make room."""
        self._messages.append((channel, message, events))
        self.bytes += len(message)
        lost = 0
        while len(self._messages) > self._most or self.bytes > self._most_bytes:
            lost += self._pop()[2]
        if lost:
            self._note_lost(lost, "queue_full")

    def take(self, most_bytes: int) -> list[Message]:
        """The oldest, as long as they have no more bytes than that; at least one, if any waits."""
        taken: list[Message] = []
        size = 0
        while self._messages and (not taken or size + len(self._messages[0][1]) <= most_bytes):
            taken.append(self._pop())
            size += len(taken[-1][1])
        return taken

    def drop_all(self, reason: str) -> None:
        """Nobody will send them."""
        lost = sum(events for _, _, events in self._messages)
        self._messages.clear()
        self.bytes = 0
        if lost:
            self._note_lost(lost, reason)

    def _pop(self) -> Message:
        message = self._messages.popleft()
        self.bytes -= len(message[1])
        return message
