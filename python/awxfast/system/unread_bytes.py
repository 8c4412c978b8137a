"""What the kernel knows of bytes that are not read yet: a peer's here, whose silence is ours then, and ours there."""

import fcntl
import select
import socket
import struct
import sys
import termios
from typing import Protocol

PROBES = 3
UNACKNOWLEDGED = 24
LAST_ACK = 56
BYTES_ACKED = 120
"""Places in the kernel's `struct tcp_info` (linux/tcp.h), whose beginning never changes."""


class PeerSocket(Protocol):
    """A loop's view of a socket."""

    @property
    def family(self) -> int:
        """AF_UNIX, or one of TCP's."""

    def fileno(self) -> int:
        """The descriptor of the socket."""

    def getsockopt(self, level: int, option: int, size: int, /) -> bytes:
        """As many bytes of an option."""


def has_unread(sock: PeerSocket) -> bool:
    """Whether there is something to be read, an end among it; at one that listens: somebody to be accepted."""
    return _polls(sock, select.POLLIN)


def is_gone(sock: PeerSocket) -> bool:
    """Whether the peer has closed, or reset, behind what it sent."""
    return _polls(sock, select.POLLRDHUP)


def is_reset(sock: PeerSocket) -> bool:
    """Whether nothing can go either way any more."""
    return _polls(sock, 0)


def seconds_unanswered(sock: PeerSocket) -> float:
    """How long the peer's kernel has acknowledged nothing though it has something to; 0 if nothing waits.

    A peer that merely does not read acknowledges the kernel's probes. That of a unix socket can't vanish unnoticed.
    """
    if sock.family == socket.AF_UNIX:
        return 0.0
    return read_unanswered(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, LAST_ACK + 4))


def read_unanswered(info: bytes) -> float:
    """The same, from a `tcp_info`."""
    (unacknowledged,) = struct.unpack_from("=I", info, UNACKNOWLEDGED)
    (last_ack,) = struct.unpack_from("=I", info, LAST_ACK)
    return last_ack / 1000 if unacknowledged or info[PROBES] else 0.0


def count_unsent(sock: PeerSocket) -> int:
    """Bytes that were written and that the peer's kernel has not taken."""
    (count,) = struct.unpack("=i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))
    return int(count)


def count_taken(sock: PeerSocket) -> int:
    """Grows with each byte that the peer takes, whatever is written meanwhile; it says nothing else."""
    if sock.family == socket.AF_UNIX:
        return -count_unsent(sock)
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, BYTES_ACKED + 8)
    return int.from_bytes(info[BYTES_ACKED:], sys.byteorder)


def _polls(sock: PeerSocket, events: int) -> bool:
    """Whether there is one of `events` now, or a hang-up or an error, which poll(2) tells unasked."""
    poll = select.poll()
    poll.register(sock.fileno(), events)
    return bool(poll.poll(0))
