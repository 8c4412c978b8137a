"""What a server listens on."""

import dataclasses
import socket

BACKLOG = 2048
"""Connections wait here while the serving process starts or is replaced; the kernel's somaxconn bounds it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Listening:
    """A listening socket. An event loop listens on it once more, so `backlog` is said to that, too."""

    sock: socket.socket
    backlog: int = BACKLOG
