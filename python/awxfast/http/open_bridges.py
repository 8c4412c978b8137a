"""The bridges between TLS and the server that are open: the buffer and the turns they share, and who is to be told."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable

from awxfast.http.hang_ups import HangUps
from awxfast.http.plain_connections import QUIET_SECONDS, PlainConnections
from awxfast.quiet_log import QuietLog
from awxfast.turns import Turns

log = logging.getLogger(__name__)

RECEIVE_BYTES = 65_536
"""A buffer of more would be mapped and unmapped at each read, which costs ten times as much as the read."""
TURN_BYTES = 16_384
"""Encrypted, so many are looked at in a turn of the loop, for all clients together, and of one all that a read brought.

What they decrypt to says nothing: 600 key updates (RFC 8446 section 4.6.3) are as many bytes, cost 15 ms, and no data.
"""


class OpenBridges:
    """The bridges of all connections, and what they share.

    `make_protocol` makes what serves; the TLS transport tells it who the client is.
    `plain` knows those whose server has ended, whatever it was, and whose client still takes what was written.
    """

    def __init__(
        self, make_protocol: Callable[[asyncio.Transport], asyncio.BaseProtocol], plain: PlainConnections
    ) -> None:
        self.make_protocol = make_protocol
        self.plain = plain
        self.buffer = memoryview(bytearray(RECEIVE_BYTES))
        self.turns, self.small_turns = Turns(TURN_BYTES), Turns(TURN_BYTES)
        self._log = QuietLog(log, seconds=QUIET_SECONDS)
        self._open: set[asyncio.BaseProtocol] = set()
        self._emptied = asyncio.Event()
        self._hang_ups: HangUps | None = None

    def open(self) -> HangUps:
        """Before there are connections, so that the descriptor for their ends is there in time. Raises `OSError`."""
        if self._hang_ups is None:
            self._hang_ups = HangUps()
        return self._hang_ups

    def watch(self, near: socket.socket, call: Callable[[], None]) -> None:
        """Calls when a server has ended for good. Raises `OSError` where the kernel has no room for that."""
        self.open().watch(near, call)

    def forget(self, near: socket.socket) -> None:
        """Its end is about to be closed here."""
        if self._hang_ups is not None:
            self._hang_ups.forget(near)

    def report_turned_away(self, error: OSError) -> None:
        """Nothing is left that a connection would be served with; it is so for many at once."""
        self._log.warn("turned away", f"a client is turned away, it can't be served: {error.strerror}")

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    def add(self, bridge: asyncio.BaseProtocol) -> None:
        """Its connection is there."""
        self._open.add(bridge)
        self._emptied.clear()

    def remove(self, bridge: asyncio.BaseProtocol) -> None:
        """Forgets a bridge that is gone."""
        self._open.discard(bridge)
        if not self._open:
            self._emptied.set()

    async def wait_closed(self, seconds: float) -> None:
        """Returns when what was written has gone out and all are closed, or the time is up."""
        if self._open:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), seconds)

    def close(self) -> None:
        """No server's end is told any more."""
        if self._hang_ups is not None:
            self._hang_ups.close()
            self._hang_ups = None
