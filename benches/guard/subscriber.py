"""A browser that counts bytes: its handshake and subscription are real, and what comes afterwards is not looked at."""

import socket
from typing import Self

import orjson

from guard.samples import masked_frame

HANG = 20.0
"""Seconds after which something that does not come counts as failed."""
HANDSHAKE = (
    b"GET /websocket/ HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Subscriber:
    """A context manager: connected and subscribed inside `with`."""

    def __init__(self, port: int, kind: str, value: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), HANG)
        self._buffer = bytearray(1 << 20)
        self._socket.sendall(HANDSHAKE + masked_frame(orjson.dumps({"groups": {kind: [value]}})))
        self._read_until(b"groups_current")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()

    def _read_until(self, words: bytes) -> None:
        said = b""
        while words not in said:
            said += self._receive()

    def read(self, size: int) -> None:
        """Returns when so many bytes more have come."""
        while size > 0:
            size -= len(self._receive())
        assert size == 0

    def _receive(self) -> memoryview:
        count = self._socket.recv_into(self._buffer)
        if not count:
            raise ConnectionError("the server closed the connection")
        return memoryview(self._buffer)[:count]
