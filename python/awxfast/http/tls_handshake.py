"""Stands between a connection and TLS until the handshake is done: each step of one waits until there is a turn for it.

A step costs the server a signature, or a whole connection's beginning: some milliseconds. Thousands of clients may send
theirs in one moment, and an event loop that shakes hands by itself would do all of that before it does anything else.
"""

import asyncio
from typing import cast

from awxfast.turns import Turns


class PacedHandshake(asyncio.Protocol):
    """The connection's own protocol until `begin`, and TLS's place at it from then until `end`."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._transport: asyncio.Transport | None = None
        self._tls: asyncio.BufferedProtocol | None = None
        self._held = b""
        self._turn: asyncio.Future[None] | None = None

    def begin(self) -> None:
        """TLS is the transport's protocol, and has read nothing yet."""
        if self._transport is not None:
            self._tls = cast(asyncio.BufferedProtocol, self._transport.get_protocol())
            self._transport.set_protocol(self)
            self._take_turn()

    def end(self) -> None:
        """The handshake is done: TLS has what comes from now on, and at once what waits for a turn."""
        tls, transport, held = self._tls, self._transport, self._held
        if tls is None or transport is None:
            return
        self._tls, self._held = None, b""
        if self._turn is not None:
            self._turn.cancel()
        transport.set_protocol(tls)
        if held:
            feed(tls, transport, held)

    # What the transport calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """There is nobody yet who could shake hands."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Nothing more is read before it has had its turn."""
        self._held += data
        self._take_turn()

    def _take_turn(self) -> None:
        if not self._held or self._transport is None:
            return
        self._transport.pause_reading()
        if self._tls is not None and self._turn is None:
            self._turn = self._turns.call(1, self._go_on)

    def _go_on(self) -> None:
        tls, transport, held = self._tls, self._transport, self._held
        if tls is None or transport is None:
            return
        self._turn, self._held = None, b""
        feed(tls, transport, held)

    def eof_received(self) -> bool | None:
        """The client sends no more."""
        return self._tls.eof_received() if self._tls is not None else None

    def pause_writing(self) -> None:
        """The client takes less than TLS writes."""
        if self._tls is not None:
            self._tls.pause_writing()

    def resume_writing(self) -> None:
        """It takes bytes again."""
        if self._tls is not None:
            self._tls.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone, or was sent away."""
        self._transport = None
        if self._turn is not None:
            self._turn.cancel()
        if self._tls is not None:
            self._tls.connection_lost(exc)


def feed(tls: asyncio.BufferedProtocol, transport: asyncio.Transport, data: bytes) -> None:
    """Gives TLS what was read while the transport was paused, which TLS itself may pause again for it."""
    if not transport.is_closing():
        transport.resume_reading()
    memoryview(tls.get_buffer(len(data)))[: len(data)] = data
    tls.buffer_updated(len(data))
