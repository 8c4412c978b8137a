"""What a server listens on."""

import dataclasses
import socket

from awxfast.http.tls import Certificate

BACKLOG = 2048
"""Connections wait here while the serving process starts or is replaced; the kernel's somaxconn bounds it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Listening:
    """A listening socket. An event loop listens on it once more, so `backlog` is said to that, too."""

    sock: socket.socket
    backlog: int = BACKLOG
    certificate: Certificate | None = None
    """TLS is spoken with it."""

    @property
    def address(self) -> str:
        """HOST:PORT, or the path of a socket file."""
        name = self.sock.getsockname()
        if self.sock.family == socket.AF_UNIX:
            return str(name)
        host = f"[{name[0]}]" if self.sock.family == socket.AF_INET6 else name[0]
        return f"{host}:{name[1]}"


def make_listening(sock: socket.socket, backlog: int, tls_files: tuple[str, str] | None) -> Listening:
    """`tls_files` are certificate and key. Raises `ConfigurationError` for files with a fault."""
    return Listening(sock, backlog, Certificate(*tls_files) if tls_files is not None else None)
