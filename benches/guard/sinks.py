"""Sockets that swallow all that is written: the cost of a write is there, but no reader and no network.

Each is a datagram socket towards a receiver that never reads and has no room: the kernel copies the bytes, then drops
them. A write of more than 64 KiB would fail, so nothing may be published while that much waits for a client.
"""

import socket

from awxfast.process.limits import raise_descriptor_limit


class Sinks:
    """A number of sinks; a context manager, which closes them."""

    def __init__(self, count: int) -> None:
        raise_descriptor_limit()
        self._receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
        self._receiver.bind(("127.0.0.1", 0))
        self.sockets = [self._connect() for _ in range(count)]

    def _connect(self) -> socket.socket:
        sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sink.connect(self._receiver.getsockname())
        sink.setblocking(False)
        return sink

    def __enter__(self) -> "Sinks":
        return self

    def __exit__(self, *exception: object) -> None:
        for sink in (*self.sockets, self._receiver):
            sink.close()

    def write(self, data: bytes) -> None:
        """The yardstick of a fan-out: a plain loop over the sockets."""
        for sink in self.sockets:
            sink.send(data)
