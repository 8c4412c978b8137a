"""Browsers that connect while a server is reloaded, one after the other."""

import contextlib
import socket
import threading
import time
from typing import Self

PAUSE_SECONDS = 0.05
PATIENCE_SECONDS = 30.0
REQUEST = (
    "GET /websocket/ HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Newcomers:
    """Each connects, waits for its 101, and leaves. Inside of `with` they come."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._address = host, int(port)
        self._request = REQUEST.format(host=address).encode()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._come)
        self.came = 0
        self.refused = 0
        self.longest_s = 0.0
        """From the connect to the 101."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ending.set()
        self._thread.join()

    def _come(self) -> None:
        while not self._ending.wait(PAUSE_SECONDS):
            began = time.monotonic()
            self.came += 1
            self.refused += not self._is_let_in()
            self.longest_s = max(self.longest_s, time.monotonic() - began)

    def _is_let_in(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(self._address, PATIENCE_SECONDS) as sock:
            sock.sendall(self._request)
            return sock.recv(1024).startswith(b"HTTP/1.1 101 ")
        return False
