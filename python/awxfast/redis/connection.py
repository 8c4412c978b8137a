"""One connection to Redis: commands out, replies back in order (RESP2), on a plain asyncio protocol.

There is no read timeout as client libraries have it, which races with blocking pops. Instead a connection on which an
answer is `patience` seconds overdue counts as broken. So does one that answers what the command can't have (`replies`),
or more than `reply_limit` bytes, or announces that: hiredis makes room for what is announced.
"""

import asyncio
import collections
import contextlib
from collections.abc import Iterable
from typing import Any, cast

import hiredis

from awxfast._rust import ReplyBounds
from awxfast.errors import RedisReplyError, RedisUnavailable
from awxfast.late_timeouts import call_after_reading
from awxfast.redis.commands import Argument, Command, pack
from awxfast.redis.connection_failure import CLOSED, describe_failure
from awxfast.redis.replies import Expectation, describe, expect, expect_all
from awxfast.redis.unfinished_replies import UnfinishedReplies

REPLY_LIMIT = 67_108_864
"""Bytes of one reply, where nobody says otherwise."""

PROGRESS_BYTES = 65_536
"""Of one reply: so many more are a sign of life, as a whole reply is; fewer may be dripped for ever."""
TURN_REPLIES = 300
"""How many replies are looked at in one turn of the loop, with what follows from them: some milliseconds' work."""
MOST_ELEMENTS = 1_000_000
"""Of one reply, in all its lists: a cluster's 16,384 slots, each told for itself with six servers, have 740,000."""
ELEMENT_BYTES = 80
"""Of memory, for each that is announced: an empty list in a list."""
LAST_TURNS = 20
"""So many turns' replies are taken at once when the end comes before their turn; a batch in a cluster has 2,000."""
_KEPT = 1_048_576
"""Bytes of a reply, behind which hiredis would keep its room until more comes."""

_WATCH_INTERVAL = 1.0


class _Expected:
    """The replies that one write waits for."""

    __slots__ = ("expectations", "future", "missing", "replies")

    def __init__(self, future: asyncio.Future[Any], expectations: list[Expectation], replies: list[Any] | None) -> None:
        self.future = future
        self.expectations = expectations
        self.missing = len(expectations)
        self.replies = replies


class RedisConnection(asyncio.Protocol):
    """Made by `open_connection`. `lost` is done when the connection is gone, with the reason as its result."""

    def __init__(
        self,
        name: str,
        patience: float,
        reply_limit: int = REPLY_LIMIT,
        unfinished: UnfinishedReplies | None = None,
    ) -> None:
        self._name = name
        self._patience = patience
        self._reply_limit = reply_limit
        self._bounds = ReplyBounds(reply_limit, MOST_ELEMENTS)
        self._unfinished = self._seen = 0
        self._all_unfinished = unfinished
        self._loop = asyncio.get_running_loop()
        self._reader, self._incomplete = make_reader()
        self._expected: collections.deque[_Expected] = collections.deque()
        self._transport: asyncio.Transport | None = None
        self._progress = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._waits_turn = False
        self._error: RedisUnavailable | None = None
        self.lost: asyncio.Future[RedisUnavailable] = self._loop.create_future()
        self.reply_size = 0
        """About how many bytes the last reply had, with what came in one read with it."""

    # What callers do

    def command(self, *arguments: Argument) -> asyncio.Future[Any]:
        """Sends one command. The future gives its reply (bytes, int, None or a list) or raises `RedisError`."""
        return self._send(pack(arguments), [expect(arguments[0])], None)

    def commands(self, commands: Iterable[Command]) -> asyncio.Future[list[Any]]:
        """Sends several in one write. An error reply is a `RedisReplyError` in the list of results, not raised."""
        listed = list(commands)
        expectations = expect_all([command[0] for command in listed])
        return self._send(b"".join(map(pack, listed)), expectations, [])

    def packed(self, names: Iterable[str], packed: bytes, replies: list[Any]) -> asyncio.Future[list[Any]]:
        """Sends commands of these names, which are packed already, in one write; else as `commands`.

        `replies` fills as they come: of a connection that broke, who asked knows what had an answer.
        """
        return self._send(packed, [expect(name) for name in names], replies)

    @property
    def is_idle(self) -> bool:
        """Whether every command has its answer."""
        return not self._expected

    async def settle(self) -> None:
        """Returns when every command has its answer, and those that followed from these. Raises `RedisUnavailable`."""
        while not self.is_idle:
            await self.ask_for_life()

    async def ask_for_life(self) -> None:
        """Returns when it answers. Raises `RedisUnavailable`."""
        with contextlib.suppress(RedisReplyError):  # who can't save refuses PING as if it were a write: an answer too
            await self.command("PING")

    def close(self, why: str = "the connection was closed") -> None:
        """Ends the connection; whoever still waits for a reply gets `RedisUnavailable`. Idempotent."""
        self._fail(why)

    def distrust(self, why: str) -> RedisUnavailable:
        """Ends the connection for an answer that makes no sense to who asked; returns what to raise."""
        self._fail(f"it answers out of protocol: {why}")
        return self.lost.result()

    def _send(self, packed: bytes, expectations: list[Expectation], replies: list[Any] | None) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._error is not None or self._transport is None:
            future.set_exception(self._error or RedisUnavailable(f"Redis at {self._name}: not connected"))
        elif not expectations:
            future.set_result(replies)
        else:
            if not self._expected:
                self._progress = self._loop.time()
            self._expected.append(_Expected(future, expectations, replies))
            self._transport.write(packed)
        return future

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._check_progress()

    def data_received(self, data: bytes) -> None:
        try:
            if not self._look(data):
                return
            self._reader.feed(data)
            if self._take_turn() or self._unfinished - self._seen >= PROGRESS_BYTES:
                self._progress, self._seen = self._loop.time(), self._unfinished
        except hiredis.ProtocolError as error:
            self._fail("its answer is not Redis' protocol", cause=error)

    def _look(self, data: bytes) -> bool:
        """Whether what has come is in bounds, and nothing was wrong before."""
        if self._error is not None:
            return False
        before, self.reply_size = self._unfinished, self._unfinished + len(data)
        try:
            self._unfinished = self._bounds.look(data)
        except ValueError as error:
            raise hiredis.ProtocolError(str(error)) from error
        except OverflowError:
            most = f"{self._reply_limit} bytes in one answer, or {MOST_ELEMENTS} elements"
            self._fail(f"it sends or announces more than {most}")
            return False
        if self._all_unfinished is not None and (self._unfinished or before):
            self._all_unfinished.note(self, self._unfinished + ELEMENT_BYTES * self._bounds.elements)
        return self._error is None

    def _take_turn(self) -> bool:
        """Takes as many replies as a turn has: whether any. While others wait no more is read: the end comes last."""
        gets, incomplete = self._reader.gets, self._incomplete
        for taken in range(TURN_REPLIES):
            if self._error is not None:
                return taken > 0
            if (reply := gets()) is incomplete:
                if self.reply_size > _KEPT and not self._unfinished:
                    self._reader, self._incomplete = make_reader()
                return taken > 0
            self._take(reply)
        if not self._waits_turn and self._error is None and self._transport is not None:
            self._waits_turn = True
            self._transport.pause_reading()
            self._loop.call_soon(self._go_on)
        return True

    def _go_on(self) -> None:
        self._waits_turn = False
        self.data_received(b"")
        if not self._waits_turn and self._error is None and self._transport is not None:
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None  # which takes neither more to write nor that reading pauses
        if self._waits_turn:  # and what was written meanwhile has told the end
            for _ in range(LAST_TURNS):
                self.data_received(b"")
        self._fail(describe_failure(exc) if exc else CLOSED, cause=exc)

    def _take(self, reply: Any) -> None:
        if not self._expected:
            # What a Redis says unasked is the reason why it hangs up, such as too many clients.
            self._fail(str(reply) if isinstance(reply, RedisReplyError) else "it talks without being asked")
            return
        expected = self._expected[0]
        asked = expected.expectations[-expected.missing]
        if asked.fits(reply) or isinstance(reply, RedisReplyError):
            self._answer(expected, reply)
        else:
            self.distrust(f"{describe(reply)} to {asked.command}")

    def _answer(self, expected: _Expected, reply: Any) -> None:
        expected.missing -= 1
        if expected.replies is not None:
            expected.replies.append(reply)
            reply = expected.replies
        if expected.missing:
            return
        self._expected.popleft()
        if expected.future.done():  # whoever asked was cancelled
            return
        if isinstance(reply, RedisReplyError):
            expected.future.set_exception(reply)
        else:
            expected.future.set_result(reply)

    def _check_progress(self) -> None:
        if self._is_overdue():
            call_after_reading(self._judge)
        self._watch = self._loop.call_later(_WATCH_INTERVAL, self._check_progress)

    def _is_overdue(self) -> bool:
        return bool(self._expected) and self._loop.time() - self._progress > self._patience

    def _judge(self) -> None:
        if self._is_overdue():
            self._fail(f"no answer for {self._patience:g} s")

    def _fail(self, why: str, cause: Exception | None = None) -> None:
        if self._error is not None:
            return
        self._error = RedisUnavailable(f"Redis at {self._name}: {why}")
        self._error.__cause__ = cause
        self._reader = hiredis.Reader()
        if self._all_unfinished is not None:
            self._all_unfinished.note(self, 0)
        if self._watch is not None:
            self._watch.cancel()
        if self._transport is not None:
            self._transport.abort()
        self.lost.set_result(self._error)
        while self._expected:
            future = self._expected.popleft().future
            if not future.done():
                future.set_exception(self._error)
                future.exception()  # not everybody still looks; the reason is in `lost`


def make_reader() -> tuple[hiredis.Reader, object]:
    """A parser of replies, and what it gives while one is not whole."""
    incomplete = object()
    try:
        return hiredis.Reader(replyError=RedisReplyError, notEnoughData=incomplete), incomplete
    except TypeError:  # hiredis 2.0 of AWX 24 gives False, which no reply of RESP2 is
        return hiredis.Reader(replyError=RedisReplyError), False
