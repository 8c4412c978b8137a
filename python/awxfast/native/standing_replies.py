"""Replies that a browser has not taken yet: while some stand no further ones are made, and they stand for so long."""

import asyncio

from awxfast.settings import REPLY_BYTES
from awxfast.sockets.connection import Connection


class StandingReplies:
    """What stands for one connection. Replies are never shed, so what bounds them is that commands wait for them."""

    __slots__ = ("_connection", "_drained", "_standing", "_watch")

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._drained: asyncio.Future[None] | None = None
        self._standing = 0
        self._watch: asyncio.TimerHandle | None = None

    def replies_drained(self) -> None:
        """No reply waits any more."""
        self._end_watch()
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    @property
    def _standing_now(self) -> int:
        """So many bytes, as of this moment."""
        return 0 if self._drained is not None and self._drained.done() else self._standing

    def _send(self, *replies: bytes) -> None:
        if replies and self._connection is not None:
            self._connection.send_texts(replies)
            self._note_replies(sum(map(len, replies)))

    async def _wait_until_drained(self) -> None:
        """Returns when none stands any more."""
        if self._standing and self._connection is not None:
            self._drained = asyncio.get_running_loop().create_future()
            if self._watch is None:  # else it was asked for
                self._connection.ask_drained()
            await self._drained
            self._drained = None
            self._standing = 0

    def _note_replies(self, size: int) -> None:
        """One command's replies may be more than a client may leave standing: one that takes them has the time."""
        self._standing += size
        if self._standing > REPLY_BYTES and self._watch is None and self._connection is not None:
            self._connection.ask_drained()
            self._watch_replies(self._connection)

    def _watch_replies(self, connection: Connection) -> None:
        connection.judge_replies()
        self._watch = asyncio.get_running_loop().call_later(connection.close_timeout, self._watch_replies, connection)

    def _end_watch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
