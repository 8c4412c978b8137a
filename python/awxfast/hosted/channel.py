"""One channel of this process: the messages that wait in it, and who waits for them."""

import collections
from typing import Any

from awxfast.hosted.current_session import LayerSession
from awxfast.hosted.waiters import Waiters

Message = dict[str, Any]

BEHIND = 64
"""Messages that may wait before a channel counts as behind."""

HELD_TEXTS = 1_000
"""Direct texts that are kept for a socket whose 101 is not out yet; past it the oldest are dropped."""


class Channel:
    """A bounded queue of messages, of which the oldest is dropped when it is full, as the stock layer does.

    `local` is the channel's name after `!`. `seated`: direct messages reach it through its session's socket, which is
    the fan-out's `client` once it is there.
    Small, since there is one for each consumer. All of it belongs to the serving loop.
    """

    __slots__ = (
        "_capacity",
        "_messages",
        "_waiters",
        "client",
        "closed",
        "groups",
        "held",
        "local",
        "seated",
        "session",
    )

    def __init__(self, local: str, session: LayerSession | None, capacity: int) -> None:
        self.local = local
        self.session = session
        self.seated = False
        self.client: int | None = None
        self.closed = False
        self.groups: set[str] = set()
        self.held: collections.deque[bytes] | None = None
        self._capacity = capacity
        self._messages: collections.deque[Message] | None = None
        self._waiters: Waiters | None = None

    @property
    def is_seated_early(self) -> bool:
        """Whether its socket is yet to come."""
        return self.seated and self.client is None

    @property
    def is_loose(self) -> bool:
        """Whether it must be handed direct messages too, since no socket of its own gets them."""
        return self.client is None

    @property
    def is_behind(self) -> bool:
        """Whether much waits in it for its consumer."""
        return self._messages is not None and len(self._messages) > BEHIND

    @property
    def unserved(self) -> int:
        """Messages that wait in it, and one that its consumer may be at work on."""
        is_busy = self._waiters is not None and not self._waiters.are_there
        return len(self._messages or ()) + is_busy

    def put(self, message: Message) -> bool:
        """Adds a message, for whoever has waited longest. False: the oldest was dropped for it."""
        if self._messages is None:
            self._messages = collections.deque()
        has_room = len(self._messages) < self._capacity
        if not has_room:
            self._messages.popleft()
        self._messages.append(message)
        if self._waiters is not None:
            self._waiters.wake_next()
        return has_room

    async def receive(self) -> Message:
        """The next message, a copy of what all channels share. Of several who wait, the first gets it."""
        while not self._messages:
            if self._waiters is None:
                self._waiters = Waiters()
            await self._waiters.wait()
        return dict(self._messages.popleft())

    def hold(self, text: bytes) -> bool:
        """Keeps a direct text until the socket can take it. False: the oldest was dropped for it."""
        if self.held is None:
            self.held = collections.deque(maxlen=HELD_TEXTS)
        has_room = len(self.held) < HELD_TEXTS
        self.held.append(text)
        return has_room

    def take_held(self) -> list[bytes]:
        """What was held, oldest first."""
        held, self.held = self.held, None
        return list(held or ())
