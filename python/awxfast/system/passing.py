"""Messages with descriptors over a socket between two processes (unix(7), SCM_RIGHTS). All of it blocks."""

import array
import contextlib
import os
import socket
from collections.abc import Sequence

MOST = 250
"""Descriptors of a message; the kernel takes 253 (SCM_MAX_FD)."""
_LENGTH = 8
_DESCRIPTOR = array.array("i").itemsize


class TooFewDescriptors(OSError):
    """This process may not have as many as were passed."""


def send_message(sock: socket.socket, payload: bytes, descriptors: Sequence[int] = ()) -> None:
    """Sends one message. The descriptors stay the caller's. Raises `OSError`."""
    socket.send_fds(sock, [len(payload).to_bytes(_LENGTH, "little")], list(descriptors))
    sock.sendall(payload)


def receive_message(sock: socket.socket) -> tuple[bytes, list[int]]:
    """The next message; its descriptors are the caller's from now on. Raises `OSError`, `EOFError` at the end.

    Where there are not enough free descriptors for all that were sent: `TooFewDescriptors`; the next message is whole.
    """
    head, ancillary, flags, _ = sock.recvmsg(_LENGTH, socket.CMSG_SPACE(MOST * _DESCRIPTOR), socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(data[: len(data) - len(data) % _DESCRIPTOR])
    try:
        if len(head) < _LENGTH:
            raise EOFError
        payload = _receive_exactly(sock, int.from_bytes(head, "little"))
        if flags & socket.MSG_CTRUNC:
            raise TooFewDescriptors("there are not enough descriptors for all that were passed")
        return payload, list(descriptors)
    except BaseException:
        close_all(descriptors)
        raise


def close_all(descriptors: Sequence[int]) -> None:
    """Closes descriptors that nobody needs."""
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def _receive_exactly(sock: socket.socket, size: int) -> bytes:
    received = bytearray(size)
    view, filled = memoryview(received), 0
    while filled < size:
        count = sock.recv_into(view[filled:])
        if not count:
            raise EOFError
        filled += count
    return bytes(received)
