"""Listens where no TLS is spoken: connections are taken in by the core, some each turn of the loop."""

import asyncio
import socket
from collections.abc import Callable

from awxfast._rust import Front


class PlainListener:
    """Accepts on a socket that listens. `make_protocol` makes who gets the bytes of each connection."""

    def __init__(self, front: Front, sock: socket.socket, make_protocol: Callable[[], asyncio.BaseProtocol]) -> None:
        self._front = front
        self._sock = sock
        self._make_protocol = make_protocol
        self._number = -1

    def start(self, backlog: int) -> None:
        """Accepts from now on."""
        self._sock.listen(backlog)
        self._number = self._front.listen(self._sock.fileno(), self._make_protocol)

    def close(self) -> None:
        """Accepts no more."""
        self._front.end_listening(self._number)
        self._sock.close()
