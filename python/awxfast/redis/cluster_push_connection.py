"""A connection that subscribes to channels of a cluster's shard (RESP2): one command a channel, answers in between.

A server that gives a slot away says so by an answer to a command that nobody sent.
"""

import collections
from collections.abc import Collection, Sequence
from typing import Any, Protocol

from awxfast.errors import RedisReplyError
from awxfast.redis.commands import pack
from awxfast.redis.connection import RedisConnection

ANSWER_PATIENCE = 10
"""Times the connection's, for a channel's answer: messages without end may stand before it."""


class ClusterPushListener(Protocol):
    """Who is told what comes over one."""

    def receive(self, messages: Sequence[tuple[bytes, bytes]]) -> None:
        """Channel and message of each, in order."""

    def confirm(self, channel: bytes) -> None:
        """It is subscribed to."""

    def refuse(self, channel: bytes, error: RedisReplyError) -> None:
        """It is not, for this reason."""

    def end(self, channel: bytes) -> None:
        """The server has ended a subscription by itself: another one has the channel's slot now."""


class ClusterPushConnection(RedisConnection):
    """See `RedisConnection`. What is not read waits in Redis, which cuts those off for whom too much waits."""

    _listener: ClusterPushListener | None = None
    _asked: collections.deque[tuple[bytes, bytes]]
    _messages: list[tuple[bytes, bytes]]
    _answered_at = 0.0

    def begin(self, listener: ClusterPushListener) -> None:
        """From now on all that comes goes there."""
        self._asked = collections.deque()
        self._messages = []
        self._listener = listener

    def subscribe(self, channels: Collection[bytes]) -> None:
        """Asks for each; each is confirmed or refused."""
        self._ask(b"SSUBSCRIBE", channels)

    def unsubscribe(self, channels: Collection[bytes]) -> None:
        """Wants none of these any more."""
        self._ask(b"SUNSUBSCRIBE", channels)

    def _ask(self, command: bytes, channels: Collection[bytes]) -> None:
        if self._error is not None or self._transport is None or not channels:
            return
        if not self._asked:
            self._answered_at = self._loop.time()
        self._asked.extend((command, channel) for channel in channels)
        self._transport.write(b"".join([pack((command, channel)) for channel in channels]))

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._flush()

    def _take(self, reply: Any) -> None:
        if self._listener is None:
            super()._take(reply)
        elif type(reply) is list and len(reply) == 3 and reply[0] == b"smessage":
            if type(reply[1]) is bytes and type(reply[2]) is bytes:
                self._messages.append((reply[1], reply[2]))
            else:
                self.distrust("a message that is no string")
        elif type(reply) is list and len(reply) == 3:
            self._take_answer(self._listener, reply[0], reply[1])
        elif isinstance(reply, RedisReplyError) and self._asked:
            self._take_error(self._listener, reply)
        else:
            super()._take(b"PONG" if type(reply) is list and reply[:1] == [b"pong"] else reply)

    def _take_answer(self, listener: ClusterPushListener, kind: Any, channel: Any) -> None:
        expected = self._asked[0] if self._asked else None
        self._answered_at = self._loop.time()
        if kind == b"ssubscribe" and expected == (b"SSUBSCRIBE", channel):
            self._asked.popleft()
            self._flush()
            listener.confirm(channel)
        elif kind == b"sunsubscribe" and expected == (b"SUNSUBSCRIBE", channel):
            self._asked.popleft()
        elif kind == b"sunsubscribe" and type(channel) is bytes:
            self._flush()
            listener.end(channel)
        else:
            self.distrust("a subscription that nobody asked for")

    def _take_error(self, listener: ClusterPushListener, error: RedisReplyError) -> None:
        self._answered_at = self._loop.time()
        command, channel = self._asked.popleft()
        if command == b"SSUBSCRIBE":
            listener.refuse(channel, error)

    def _is_overdue(self) -> bool:
        late = self._loop.time() - self._answered_at
        is_late = self._listener is not None and bool(self._asked) and late > self._patience * ANSWER_PATIENCE
        return is_late or super()._is_overdue()

    def _flush(self) -> None:
        """What has come is told, before an answer that came behind it."""
        if self._listener is not None and self._messages:
            messages, self._messages = self._messages, []
            self._listener.receive(messages)
