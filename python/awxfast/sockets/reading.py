"""The reading side of a websocket: so much a turn of the loop, and nothing while its session can't take more."""

import abc
import asyncio
from typing import Protocol

from awxfast._rust import FrameDecoder, SocketTransport
from awxfast.system.unread_bytes import has_unread, is_gone, seconds_unanswered
from awxfast.turns import Turns

TURN_BYTES = 65_536
"""A read of so many is the last of a turn of the loop, which would go on reading the same stream 32 times."""
TURN_STREAMS = 16
"""Clients whose reading goes on in a turn, each with as much as its decoder takes at once: thousands may flood."""

Transport = asyncio.Transport | SocketTransport
"""An event loop's, or one of the core's."""


class Clock(Protocol):
    """What connections share, as far as reading knows it."""

    turns: Turns
    """Those in which reading goes on, one piece a client."""

    def now(self) -> float:
        """Seconds on a clock that only goes forward."""


class ReadingSide(asyncio.Protocol):
    """`heard` is when something came last. What comes before there is a decoder is held."""

    __slots__ = ("_clients", "_decoder", "_held", "_is_held_back", "_transport", "_waits_turn", "heard")

    def __init__(self, clients: Clock) -> None:
        self._clients = clients
        self._transport: Transport | None = None
        self._decoder: FrameDecoder | None = None
        self._held = b""
        self._is_held_back = False
        self._waits_turn = False
        self.heard = clients.now()

    @abc.abstractmethod
    def _decode(self, decoder: FrameDecoder, data: bytes) -> bool:
        """As much as the decoder takes in a turn; whether it left something."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Of one that another process has served, after `resume`: all others are there before this protocol is."""
        self._transport = transport
        if self._is_held_back:
            transport.pause_reading()
        elif self._decoder is not None and self._decoder.has_unread:
            self._wait_turn()

    def data_received(self, data: bytes) -> None:
        """Decodes frames; what comes before the attach is held."""
        self.heard = self._clients.now()
        if self._decoder is None:
            self._held += data
            self.pause_reading()
            return
        if self._decode(self._decoder, data) or len(data) >= TURN_BYTES:
            self._wait_turn()

    def _wait_turn(self) -> None:
        """Lets everybody else have theirs before more of this client is read or decoded."""
        if not self._waits_turn and self._transport is not None:
            self._waits_turn = True
            self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._clients.turns.call, 1, self._take_turn)

    def _take_turn(self) -> None:
        """Goes on where the last turn ended; what a session holds back waits until it lets go."""
        self._waits_turn = False
        if self._is_held_back or self._decoder is None or self._transport is None:
            return
        has_unread = self._decoder.has_unread
        if has_unread:
            self.heard = self._clients.now()
            has_unread = self._decode(self._decoder, b"")
        if has_unread:
            self._wait_turn()
        elif not self._is_held_back:
            self._read_on()

    def pause_reading(self) -> None:
        """Lets the peer's bytes wait in the kernel, and what was read of them undecoded."""
        self._is_held_back = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Reads again; whether the peer is silent shows from now on."""
        if self._is_held_back:
            self._is_held_back = False
            self.heard = self._clients.now()
            if self._decoder is not None and self._decoder.has_unread:
                self._wait_turn()
            elif not self._waits_turn:
                self._read_on()

    def _read_on(self) -> None:
        if self._transport is not None and not self._transport.is_reading():
            self._transport.resume_reading()

    @property
    def is_reading(self) -> bool:
        """Whether silence is the peer's."""
        return not self._is_held_back

    @property
    def has_unread(self) -> bool:
        """Whether the peer has sent something that is about to be read."""
        if self._transport is None or self._transport.is_closing():
            return False
        return has_unread(self._transport.get_extra_info("socket"))

    def is_peer_gone(self, timeout: float) -> bool:
        """For one that is not read: whether it has ended, or been unreachable for `timeout` seconds (0: any)."""
        if self._transport is None or self._transport.is_closing():
            return False
        sock = self._transport.get_extra_info("socket")
        return is_gone(sock) or 0 < timeout <= seconds_unanswered(sock)
