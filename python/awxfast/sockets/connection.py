"""One websocket from its 101 to its end."""

import enum
import logging
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from awxfast._rust import (
    NEWS_DEAD,
    NEWS_DRAINED,
    NEWS_FINISHED,
    NEWS_ROOM,
    NEWS_SLOW,
    NEWS_UNREAD,
    FrameDecoder,
    LinkFigures,
    encode_text_frame,
)
from awxfast.http.access_log import format_client
from awxfast.sockets.client_list import ClientList
from awxfast.sockets.reading import Transport
from awxfast.sockets.session import Session
from awxfast.sockets.writing import NOT_ATTACHED, WritingSide, write_out
from awxfast.system.unread_bytes import count_unsent
from awxfast.wire.close_codes import ABNORMAL, FAILED, FAULTS, NO_CODE, POLICY, RESTARTING, SLOW

log = logging.getLogger(__name__)

TEXT = 1
BINARY = 2
CLOSE = 8


class Phase(enum.IntEnum):
    """How far a connection's life has come."""

    OPENING = 0
    """The 101 is not out yet."""
    OPEN = 1
    CLOSING = 2
    """A CLOSE is queued."""
    FINISHED = 3
    """The CLOSE is out, the sending side is shut down; the peer's end is waited for."""
    ENDED = 4


OPEN = Phase.OPEN
"""As a name of its own: to look it up in the class costs ten times as much, for each message."""


class Connection(WritingSide):
    """What the transport of an upgraded connection calls. Small, since there are many that do nothing."""

    __slots__ = (
        "_is_greeted",
        "_peer_done",
        "_session",
        "deadline",
        "label",
        "opened",
        "phase",
    )

    def __init__(self, clients: ClientList, session: Session | None, label: tuple[str, str] | None = None) -> None:
        """`label` is client and path for the access log. Without a session: one that is being closed."""
        super().__init__(clients)
        self._session = session
        self._is_greeted = False
        self._peer_done = False
        self.phase = Phase.OPENING
        self.label = label
        self.opened = self.heard
        self.deadline = 0.0

    # The beginning

    def open(self, transport: Transport, response: bytes, behind: bytes, greeting: bytes | None = None) -> None:
        """Writes the 101 and takes the connection into use. `behind` are bytes that came after the request's head.

        `greeting` is a text message that leaves with the 101.
        """
        self._transport = transport
        self._held = behind
        self._clients.add_opening(self)
        transport.set_write_buffer_limits(high=0)  # so that `resume_writing` tells when the 101 is out
        self._is_greeted = greeting is not None
        if write_out(transport, response if greeting is None else response + encode_text_frame(greeting)):
            self._attach()

    def resume_writing(self) -> None:
        """The transport's buffer is empty."""
        if self.phase is Phase.OPENING:
            self._attach()

    def _attach(self) -> None:
        """The fan-out takes over the writing side: two writers at once would tear frames."""
        if self._transport is None or self._session is None or self._transport.is_closing():
            return
        try:
            self.client = self._clients.attach(
                self._transport.get_extra_info("socket").fileno(), greeted=self._is_greeted
            )
        except OSError as error:
            self._clients.report_turned_away(error)
            self._transport.abort()
            return
        self.phase = Phase.OPEN
        self._decoder = self._clients.make_decoder(as_str=self._session.takes_str)
        self._clients.add(self)
        self.resume_reading()
        self._session.open(self)
        held, self._held = self._held, b""
        if held:
            self.data_received(held)

    # From one process to the next

    @property
    def session(self) -> Session | None:
        """Who speaks over it; None: nobody any more."""
        return self._session

    def freeze(self) -> dict[str, Any]:
        """What another process needs to go on, as JSON has it; nothing changes here."""
        state, unread = self._decoder.freeze() if self._decoder is not None else (b"", b"")
        return {
            "client": self.client,
            "seat": self._clients.freeze(),
            "phase": self.phase,
            "label": self.label,
            "times": [self.opened, self.heard, self.pinged, self.deadline],
            "peer_done": self._peer_done,
            "held": [b64encode(piece).decode() for piece in (state, unread)] if state or unread else None,
        }

    def resume(self, frozen: Mapping[str, Any], client: int) -> None:
        """Goes on where `freeze` was called, as the fan-out's `client`, as soon as there is a transport.

        Raises `ValueError`.
        """
        decoder = self._clients.make_decoder(as_str=self._session is not None and self._session.takes_str)
        if frozen["held"] is not None:
            decoder.thaw(*map(b64decode, frozen["held"]))
        self._decoder = decoder
        self.client = client
        self.phase = Phase(frozen["phase"])
        self.opened, self.heard, self.pinged, self.deadline = (time or 0.0 for time in frozen["times"])
        if self.heard == self.opened:
            self.heard = self.opened  # one number for both, as in a new one: there are many that do nothing
        self._peer_done = frozen["peer_done"]

    def pass_on(self) -> None:
        """Another process has the socket, which is closed here without a word; whoever spoke over it is told 1012."""
        self.label = None  # its end is the other's to log
        self.phase = Phase.ENDED
        self._clients.remove(self)
        self.client = NOT_ATTACHED
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        self._end_session(RESTARTING)

    # What comes in

    def _decode(self, decoder: FrameDecoder, data: bytes) -> bool:
        """PINGs are answered without a look at each."""
        is_usual = False
        try:
            messages = decoder.receive(data)
            is_usual = decoder.has_only_messages  # asked once in place of four questions
            if not is_usual and (pongs := decoder.take_pongs()):
                self._clients.fanout.send_pongs(self.client, pongs)
            for opcode, payload in messages:
                if opcode == TEXT and self.phase is OPEN and self._session is not None:
                    self._session.receive_text(payload)  # nearly all of them, so by no detour
                else:
                    self._receive(opcode, payload)
        except Exception:
            log.exception("a session failed")
            self.close(FAILED, drop=True)
        return not is_usual and self._look_further(decoder)

    def _look_further(self, decoder: FrameDecoder) -> bool:
        """At what else the decoder has to say, besides messages and PONGs; whether it left something."""
        if self.phase is OPEN and decoder.failure:
            self.close(decoder.failure, decoder.failure_reason.encode(), drop=True)
        if decoder.is_too_much:
            self._clients.make_room()
        return decoder.has_unread

    def _receive(self, opcode: int, payload: Any) -> None:
        if opcode == CLOSE:
            self._receive_close(payload)
        elif opcode == BINARY and self.phase is OPEN and self._session is not None:
            self._session.receive_binary(payload)

    def _receive_close(self, payload: bytes) -> None:
        """Echoes the code (RFC 6455 section 5.5.1); the answer to our own CLOSE ends the connection."""
        self._peer_done = True
        if self.phase is Phase.OPEN:
            code = int.from_bytes(payload[:2], "big") if payload else NO_CODE
            self._clients.fanout.close(self.client, code, b"", False)
            self._enter_closing(code, "peer", payload[2:].decode())
        elif self.phase is Phase.FINISHED and self._transport is not None:
            self._transport.close()

    def eof_received(self) -> bool:
        """The peer sends no more; what is queued for it may still go out when a CLOSE is part of it."""
        self._peer_done = True
        return self.phase is Phase.CLOSING

    @property
    def unserved(self) -> int:
        """Bytes that the peer has sent and nobody has served."""
        return self._decoder.held if self._decoder is not None else 0

    @property
    def close_timeout(self) -> float:
        """Seconds that a peer has for what ends its connection."""
        return self._clients.close_timeout

    @property
    def is_node(self) -> bool:
        """Whether the peer is another node rather than a browser."""
        return self._clients.is_node

    @property
    def figures(self) -> LinkFigures | None:
        """What was written, for a node."""
        return self._clients.figures

    # The end

    def judge_replies(self) -> None:
        """Closes with 1008 if replies stand past their bound and nothing was taken since the last time."""
        if self.phase is Phase.OPEN and self._transport is not None and not self._transport.is_closing():
            unsent = count_unsent(self._transport.get_extra_info("socket"))
            self._clients.fanout.judge_replies(self.client, unsent)

    def close(self, code: int, reason: bytes = b"", *, drop: bool = False) -> None:
        """Queues a CLOSE behind all that is queued, or in its place (`drop`)."""
        if self.phase is Phase.OPEN and code in FAULTS:
            self._clients.report_fault(self._name_peer(), code, reason)
        self.leave(code, reason, drop=drop)

    def leave(self, code: int, reason: bytes = b"", *, drop: bool = False) -> None:
        """The same for a session that has its own reasons: whatever the code, nobody did wrong."""
        if self.phase is Phase.OPEN:
            self._begin_close(code, reason, drop=drop)
        elif self.phase is Phase.OPENING:
            self.cut_off()

    def _name_peer(self) -> str:
        """For the log: as in the access log where there is one, else the socket's own."""
        if self.label is not None:
            return self.label[0]
        address = self._transport.get_extra_info("peername") if self._transport is not None else None
        return format_client(address[:2] if isinstance(address, tuple) else None)

    def cut_off(self) -> None:
        """Ends the connection at once: the peer is silent, or takes no CLOSE."""
        if self.phase in (Phase.OPENING, Phase.OPEN):
            self.phase = Phase.CLOSING
            self._clients.count_close("server", ABNORMAL)
        if self._transport is not None:
            self._transport.abort()

    def _begin_close(self, code: int, reason: bytes, *, drop: bool) -> None:
        self._clients.fanout.close(self.client, code, reason, drop)
        self._enter_closing(code, "server")

    def _enter_closing(self, code: int, by: str, reason: str = "") -> None:
        self.phase = Phase.CLOSING
        self.deadline = self._clients.now() + self._clients.close_timeout
        self._clients.count_close(by, code)
        self._end_session(code, reason)
        if self._decoder is not None:
            self._decoder.expect_close()
        self.resume_reading()  # the peer's CLOSE is waited for, whatever the session held back

    def receive_news(self, news: int) -> None:
        """What the fan-out reports about this client."""
        if news == NEWS_DEAD and self._transport is not None:
            self._transport.abort()
        elif news == NEWS_FINISHED:
            self._finish()
        elif news == NEWS_SLOW and self.phase is Phase.OPEN:
            self._begin_close(SLOW, b"", drop=False)  # it is on its way; this leaves the groups
        elif news == NEWS_UNREAD and self.phase is Phase.OPEN:
            self._clients.report_fault(self._name_peer(), POLICY, b"replies are not read")
            self._begin_close(POLICY, b"", drop=False)  # likewise
        elif news == NEWS_DRAINED and self._session is not None:
            self._session.replies_drained()
        elif news == NEWS_ROOM and self._session is not None:
            self._session.room_made()

    def _finish(self) -> None:
        """Our CLOSE is out. The peer closes first, so that nothing on its way to it is lost in a reset."""
        if self._peer_done and self._transport is not None:
            self._transport.close()
        elif self.phase is Phase.CLOSING:
            self.phase = Phase.FINISHED
            self.deadline = self._clients.now() + self._clients.close_timeout

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone. Python's close sends no FIN while the fan-out has its duplicate, so that one goes too."""
        if self.phase is Phase.ENDED:  # by `pass_on`
            return
        if self.phase in (Phase.OPENING, Phase.OPEN):
            self._clients.count_close("peer", ABNORMAL)
        self.phase = Phase.ENDED
        self._clients.remove(self)
        if self.client != NOT_ATTACHED:
            self._clients.fanout.detach(self.client)
        self._end_session(ABNORMAL)
        self._transport = None

    def _end_session(self, code: int, reason: str = "") -> None:
        session, self._session = self._session, None
        if session is not None:
            session.end(code, reason)
