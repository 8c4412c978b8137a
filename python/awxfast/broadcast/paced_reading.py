"""Stands between a link's transport and picows, which takes whatever comes: so much a turn, then others have theirs.

picows decodes all that it is given before it returns, and libuv reads one socket up to 32 times in a turn. A peer that
sends tiny frames without end would keep the loop from everybody else.
"""

import asyncio
from typing import Protocol

CHUNK = 65_536
SMALL_CHUNK = 2_048
"""Bytes that are decoded in one go, at most half as many frames: the small one while these are tiny."""
MANY_FRAMES = 512
"""In one chunk; events make a tenth of that."""
TURN_BYTES = 1_048_576
TURN_FRAMES = 1_024
"""What one link may bring in one turn of the loop; a chunk that was begun is finished."""


class Link(Protocol):
    """The link whose bytes are read here."""

    @property
    def frames(self) -> int:
        """How many frames have come on it."""

    @property
    def is_ending(self) -> bool:
        """Whether our CLOSE is out: nothing more is taken."""

    def end_turn(self) -> None:
        """All that may come in this turn has come."""

    def end_soon(self) -> None:
        """The peer sends no more, or is to be heard no more."""


class PacedReading(asyncio.BufferedProtocol):
    """Takes picows' place at the transport; what is no data goes to picows as it comes."""

    def __init__(self, transport: asyncio.Transport, link: Link) -> None:
        inner = transport.get_protocol()
        assert isinstance(inner, asyncio.BufferedProtocol)
        self._inner = inner
        self._transport = transport
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._bytes = self._frames_before = 0
        self._chunk = CHUNK
        self._turn_begun = False
        self._holds: set[str] = set()
        transport.set_protocol(self)
        self._begin_turn()  # frames may have come together with the 101

    def hold(self, reason: str, hold: bool) -> None:
        """Reads no more until no reason is left, so that what can't be taken waits with the peer."""
        held = bool(self._holds)
        if hold:
            self._holds.add(reason)
        else:
            self._holds.discard(reason)
        if bool(self._holds) == held or self._transport.is_closing():
            return
        if hold:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def end_holds(self) -> None:
        """Reads again, whatever reasons there were not to."""
        for reason in [*self._holds]:
            self.hold(reason, False)

    # What the transport calls

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the transport is to put the next chunk."""
        room = self._inner.get_buffer(sizehint)
        assert isinstance(room, memoryview)
        return room[: self._chunk]

    def buffer_updated(self, nbytes: int) -> None:
        """A chunk is there. That of a link that is ending is dropped: the next is read over it."""
        if self._link.is_ending:
            return
        self._begin_turn()
        before = self._link.frames
        self._inner.buffer_updated(nbytes)
        self._chunk = SMALL_CHUNK if self._link.frames - before > MANY_FRAMES else min(2 * self._chunk, CHUNK)
        self._bytes += nbytes
        if self._link.is_ending:
            self._link.end_soon()
        elif self._bytes >= TURN_BYTES or self._link.frames - self._frames_before >= TURN_FRAMES:
            self.hold("turn", True)

    def pause_writing(self) -> None:
        """The peer takes less than we write."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """The peer takes bytes again."""
        self._inner.resume_writing()

    def eof_received(self) -> bool | None:
        """What waits for the peer may never go out any more."""
        self._link.end_soon()
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone; nothing is called after this."""
        self._inner.connection_lost(exc)

    def _begin_turn(self) -> None:
        if not self._turn_begun:
            self._turn_begun = True
            self._frames_before = self._link.frames
            self._loop.call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self._turn_begun = False
        self._bytes = 0
        self.hold("turn", False)
        self._link.end_turn()
