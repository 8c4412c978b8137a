"""One open link to a peer, dialler's end: frames in, encoded runs of frames out. picows reads, masks and pings."""

import asyncio
import collections
from typing import Protocol

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSProtocolError, WSTransport

from awxfast._rust import LinkShare
from awxfast.broadcast.fragments import Fragments
from awxfast.broadcast.link_counts import LinkCounts
from awxfast.broadcast.paced_reading import PacedReading
from awxfast.printable import escape

QUEUE_FRAMES = 10_000
QUEUE_BYTES = 67_108_864
"""What may wait for one peer; beyond it the oldest frames go, counted."""

HIGH_WATER = 1_048_576
LOW_WATER = 262_144
"""Bytes handed to the transport and not yet to the kernel: above the first frames wait here, where they are counted."""

CLOSE_TIMEOUT = 0.5
"""Seconds that a peer gets to take the last bytes and our CLOSE."""
MOST_PINGS = 64
"""How many of one turn are answered each; past that only the newest (RFC 6455 section 5.5.3)."""

TEXT, CLOSE, PING, PONG = WSMsgType.TEXT, WSMsgType.CLOSE, WSMsgType.PING, WSMsgType.PONG
"""To look a member up at its enum costs as much as all the rest of a small frame."""

FLUSH_PING = b"awxfast reload"
FLUSH_STEP = 0.005
"""Seconds between two looks whether the peer takes bytes again."""

NO_STATUS = 1005
NONE = -1
"""Stands for no descriptor at all."""


class FrameTaker(Protocol):
    """Who reads what a peer sends."""

    def receive_text(self, payload: bytes) -> None:
        """One whole text message."""


class DialledLink(WSListener):
    """Made at the 101; `wait_closed` tells when it is gone, and why."""

    def __init__(self, taker: FrameTaker, counts: LinkCounts, redis: str) -> None:
        self._taker = taker
        self._counts = counts
        self._transport: WSTransport | None = None
        self._reading: PacedReading | None = None
        self._fragments = Fragments()
        self._pings: list[bytes] = []
        self._end_timer: asyncio.TimerHandle | None = None
        self._paused = self._gone = self._drops = False
        self._flush: asyncio.Future[None] | None = None
        self._queue: collections.deque[tuple[int, bytes]] = collections.deque()
        self._plain_socket = NONE
        self.frames = 0
        """How many the peer has sent, of any kind."""
        self.queued_frames = 0
        self.queued_bytes = 0
        self.redis = redis
        """What the peer says about its Redis; empty: it is no awxfast."""
        self._why = "the connection broke"

    # What we send

    def socket_to_write(self) -> int:
        """The descriptor, if bytes may be written past the transport: it is not TLS and nothing waits. Else `NONE`."""
        if self._transport is None or self._gone or self._paused:
            return NONE
        transport = self._transport.underlying_transport
        return NONE if transport.is_closing() or transport.get_write_buffer_size() else self._plain_socket

    def note_written(self, share: LinkShare, size: int) -> None:
        """So many bytes of it were written past the transport; it writes the rest when the peer takes more."""
        assert self._transport is not None
        self._count_sent(share.frames, share.size)
        self._counts.queued += share.frames
        if size < share.size:
            self._transport.underlying_transport.write(memoryview(share.data)[size:])

    def send(self, share: LinkShare) -> None:
        """Frames in order, in one write; while the peer does not read they wait here."""
        self._counts.queued += share.frames
        if self._gone or self._transport is None:
            self._counts.dropped["link_lost"] += share.frames
        elif self._paused:
            self._wait(share.frames, share.data)
        else:
            self._write(share.frames, share.data)

    async def flushed(self) -> None:
        """Returns when the peer has read all that was sent up to now, or is gone: it answers a PING behind it."""
        while self._paused and not self._gone:  # noqa: ASYNC110  seldom, and nobody else has to tell anybody
            await asyncio.sleep(FLUSH_STEP)
        if self._transport is None or self._gone or self.is_ending:
            return
        if self._flush is None:
            self._flush = asyncio.get_running_loop().create_future()
            self._transport.send_ping(FLUSH_PING)
        await asyncio.shield(self._flush)

    def _note_pong(self, frame: WSFrame) -> None:
        if self._flush is not None and frame.get_payload_as_bytes() == FLUSH_PING:
            self._end_flush()

    def _end_flush(self) -> None:
        if self._flush is not None:
            self._flush.set_result(None)
            self._flush = None

    def close(self, why: str = "closed by us") -> None:
        """Says goodbye (1001) after what was handed to the transport."""
        if self._transport is not None:
            self._why = why
            self._transport.send_close(WSCloseCode.GOING_AWAY)
            self._transport.disconnect()
            self.end_soon()

    def hold_reading(self, reason: str, hold: bool) -> None:
        """Reads nothing more of the peer, or reads it again."""
        if self._reading is not None and not self._drops:
            self._reading.hold(reason, hold)

    def drop_received(self) -> None:
        """What the peer sends is read from now on to hear its PONG and its end; its messages are another link's."""
        if self._reading is not None:
            self._reading.end_holds()
        self._drops = True

    def abort(self) -> None:
        """Cuts the connection: the peer reads nothing."""
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    async def wait_closed(self) -> str:
        """Returns when the link is gone, with the reason in words."""
        if self._transport is not None:
            try:
                await self._transport.wait_disconnected()
            except WSProtocolError as error:
                return f"the peer broke the protocol ({escape(str(error.args[-1]))})"
        return self._why

    def _write(self, frames: int, data: bytes) -> None:
        assert self._transport is not None
        self._count_sent(frames, len(data))
        self._transport.underlying_transport.write(data)

    def _count_sent(self, frames: int, size: int) -> None:
        self._counts.sent += frames
        self._counts.sent_bytes += size
        self._counts.writes += 1

    def _wait(self, frames: int, data: bytes) -> None:
        self._queue.append((frames, data))
        self.queued_frames += frames
        self.queued_bytes += len(data)
        while self.queued_frames > QUEUE_FRAMES or self.queued_bytes > QUEUE_BYTES:
            self._counts.dropped["queue_full"] += self._take_waiting()[0]

    def _take_waiting(self) -> tuple[int, bytes]:
        frames, data = self._queue.popleft()
        self.queued_frames -= frames
        self.queued_bytes -= len(data)
        return frames, data

    # What picows calls

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The 101 is there."""
        self._transport = transport
        self._reading = PacedReading(transport.underlying_transport, self)
        transport.underlying_transport.set_write_buffer_limits(HIGH_WATER, LOW_WATER)
        if not transport.is_secure:
            self._plain_socket = transport.underlying_transport.get_extra_info("socket").fileno()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """picows fails the link for most of what RFC 6455 forbids."""
        self.frames += 1
        kind = frame.msg_type
        if transport.is_close_frame_sent:  # picows goes on with what it has read before
            if kind is CLOSE:
                transport.disconnect()
        elif frame.rsv1 or frame.rsv2 or frame.rsv3:
            raise WSProtocolError(WSCloseCode.PROTOCOL_ERROR, "a reserved bit")
        elif kind is TEXT and frame.fin and not self._fragments.begun:
            self._receive(frame.get_payload_as_bytes())
        elif kind is PING:
            self._note_ping(frame.get_payload_as_bytes())
        elif kind is CLOSE:
            self._why = f"the peer closed it ({describe_close(frame.get_payload_as_bytes())})"
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
        elif kind is not PONG:
            self._assemble(kind, frame)
        else:
            self._note_pong(frame)

    def is_user_specific_pong(self, frame: WSFrame) -> bool:
        """Asked in place of `on_ws_frame` while picows waits for a PONG: each says that the peer is there."""
        if frame.msg_type is not PONG:
            return False
        self._note_pong(frame)
        return True

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The connection is gone; picows calls nothing after this."""
        self._counts.dropped["link_lost"] += self.queued_frames
        self._queue.clear()
        self.queued_frames = self.queued_bytes = 0
        self._gone = True
        self._end_flush()
        if self._end_timer is not None:
            self._end_timer.cancel()

    def pause_writing(self) -> None:
        """The peer reads more slowly than we write."""
        self._paused = True

    def resume_writing(self) -> None:
        """The peer takes bytes again: what waits goes out."""
        self._paused = False
        while self._queue and not self._paused:
            self._write(*self._take_waiting())
        self._answer_pings()

    # What our place at the transport calls (paced_reading.Link)

    @property
    def is_ending(self) -> bool:
        """Whether our CLOSE is out."""
        return self._transport is not None and self._transport.is_close_frame_sent

    def end_turn(self) -> None:
        """Pings are answered once a turn, so that their number costs little."""
        self._answer_pings()

    def end_soon(self) -> None:
        """Cuts the connection unless it ends by itself: bytes that a peer never takes would keep it open."""
        if self._end_timer is None and not self._gone:
            self._end_timer = asyncio.get_running_loop().call_later(CLOSE_TIMEOUT, self.abort)

    def _note_ping(self, payload: bytes) -> None:
        if len(self._pings) >= MOST_PINGS:
            self._pings.pop()
        self._pings.append(payload)

    def _answer_pings(self) -> None:
        """While the peer reads nothing they wait."""
        if self._transport is None or self._gone or self._paused or self.is_ending:
            return
        pings, self._pings = self._pings, []
        for payload in pings:
            self._transport.send_pong(payload)

    def _assemble(self, kind: WSMsgType, frame: WSFrame) -> None:
        """A message in fragments, or a binary one, which is not the wire's."""
        message = self._fragments.add(kind, frame.get_payload_as_bytes(), frame.fin)
        if message is None:
            return
        kind, payload = message
        if kind is TEXT:
            self._receive(payload)
        elif not self._drops:
            self._counts.received += 1
            self._counts.skipped["binary"] += 1

    def _receive(self, payload: bytes) -> None:
        if self._drops:
            return
        self._counts.received += 1
        self._counts.received_bytes += len(payload)
        self._taker.receive_text(payload)


def describe_close(payload: bytes) -> str:
    """The code of a CLOSE frame; its reason is the peer's own text and stays out of the log."""
    return str(int.from_bytes(payload[:2], "big")) if len(payload) >= 2 else str(NO_STATUS)
