"""A connection that subscribes: Redis sends messages over it unasked, between the answers to what is asked there.

While it has not subscribed to anything it is a connection like any other. From `begin_pushes` on Redis takes nothing
but SUBSCRIBE, PSUBSCRIBE, their opposites and PING there (RESP2); each command must name one channel, so that it has
one answer.
"""

import asyncio
import socket
from collections.abc import Callable

from awxfast._rust import PushReader
from awxfast.errors import RedisReplyError
from awxfast.redis.connection import RedisConnection

Message = tuple[bool, bytes, bytes]
"""Whether it is for a group (else for a channel of ours), which one, and the message itself."""


class PushConnection(RedisConnection):
    """See `RedisConnection`. What is not read waits in Redis, which cuts those off for whom too much waits."""

    _pushes: PushReader | None = None
    _receive: Callable[[list[Message]], None]
    read_size = 0
    """How many bytes came in the last read."""
    is_inherited = False
    """Whether it was another process's, and has subscribed there."""

    def begin_pushes(
        self, groups: str, channels: str, receive: Callable[[list[Message]], None], unread: bytes = b""
    ) -> None:
        """From now on messages go to `receive`, many in one call.

        `groups`, `channels`: what the names begin with that Redis has for groups, and for channels of this process.
        `unread`: the beginning of a message that another process has read.
        """
        self._receive = receive
        self._pushes = PushReader(self._reply_limit, groups, channels)
        self._pushes.feed(unread)

    def data_received(self, data: bytes) -> None:
        if self._pushes is None:
            super().data_received(data)
            return
        self._progress = self._loop.time()
        self.read_size = len(data)
        try:
            messages, answers = self._pushes.feed(data)
        except ValueError as error:
            self._fail(f"its answer is not Redis' protocol, or longer than {self._reply_limit} bytes", cause=error)
            return
        for answer in answers:
            self._take(RedisReplyError(answer) if isinstance(answer, str) else answer)
        if messages:
            self._receive(messages)

    def pause_reading(self) -> None:
        """What comes from now on waits in the kernel, and in Redis."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Reads what has waited, and what comes."""
        if self._transport is not None and not self.lost.done():
            self._transport.resume_reading()

    # From one process to the next

    @property
    def descriptor(self) -> int | None:
        """The socket's; None where another process could not go on with it: TLS is this one's alone."""
        transport = self._transport
        if transport is None or self.lost.done() or transport.get_extra_info("ssl_object") is not None:
            return None
        return int(transport.get_extra_info("socket").fileno())

    @property
    def unread(self) -> bytes:
        """What has come of a message that is not whole yet: the other process must have it first."""
        return self._pushes.rest() if self._pushes is not None else b""


async def adopt_connection(sock: socket.socket, make: Callable[[], PushConnection]) -> PushConnection:
    """Goes on with one that another process had, for which `make` has begun pushes and given it what was unread there.

    Raises `OSError` where the socket is none that can be used.
    """

    def make_inherited() -> PushConnection:
        connection = make()
        connection.is_inherited = True
        return connection

    loop = asyncio.get_running_loop()
    create = loop.create_unix_connection if sock.family == socket.AF_UNIX else loop.create_connection
    _, connection = await create(make_inherited, sock=sock)
    return connection
