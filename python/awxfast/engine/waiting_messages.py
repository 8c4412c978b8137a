"""What waits to be sent to an engine that is away or slow: bounded, and the oldest go."""

from collections import deque
from collections.abc import Callable

from awxfast.engine.carrier import QUEUE_BYTES, QUEUE_MESSAGES

Message = tuple[str, bytes, int]
"""Its channel, its bytes, and how many events are in it."""


class WaitingMessages:
    """In the order in which they came. `note_lost` is told of events that went, and why.

    While they are held only messages of one channel can be taken; they are bounded together all the same.
    """

    def __init__(
        self, note_lost: Callable[[int, str], None], most: int = QUEUE_MESSAGES, most_bytes: int = QUEUE_BYTES
    ) -> None:
        self._note_lost = note_lost
        self._most = most
        self._most_bytes = most_bytes
        self._messages: deque[Message] = deque()
        self._free: deque[Message] = deque()
        """Of the channel that is not held."""
        self._but: str | None = None
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._messages) + len(self._free)

    @property
    def can_be_taken(self) -> bool:
        """Whether there is anything that is not held."""
        return bool(self._free if self._but is not None else self._messages)

    def hold(self, but: str) -> None:
        """None can be taken from now on but what comes of that channel."""
        self._but = but

    def release(self) -> None:
        """All can be taken again."""
        self._but = None
        self._messages.extendleft(reversed(self._free))
        self._free.clear()

    def put(self, channel: str, message: bytes, events: int) -> None:
        """At the end; the oldest make room."""
        (self._free if channel == self._but else self._messages).append((channel, message, events))
        self.bytes += len(message)
        lost = 0
        while len(self) > self._most or self.bytes > self._most_bytes:
            lost += self._pop(self._messages or self._free)[2]
        if lost:
            self._note_lost(lost, "queue_full")

    def take(self, most_bytes: int) -> list[Message]:
        """The oldest, as long as they have no more bytes than that; at least one, if any can be taken."""
        source = self._free if self._but is not None else self._messages
        taken: list[Message] = []
        size = 0
        while source and (not taken or size + len(source[0][1]) <= most_bytes):
            taken.append(self._pop(source))
            size += len(taken[-1][1])
        return taken

    def drop_all(self, reason: str) -> None:
        """Nobody will send them."""
        self.release()
        lost = sum(events for _, _, events in self._messages)
        self._messages.clear()
        self.bytes = 0
        if lost:
            self._note_lost(lost, reason)

    def _pop(self, source: deque[Message]) -> Message:
        message = source.popleft()
        self.bytes -= len(message[1])
        return message
