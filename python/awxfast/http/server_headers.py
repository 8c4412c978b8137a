"""The headers that every response has from the server itself: Date, made once a second, and Server."""

import time
from email.utils import formatdate

from awxfast.wire.handshake import encode_lines


class ServerHeaders:
    """The headers for all responses of some listeners; without a `name` there is no Server."""

    def __init__(self, name: str) -> None:
        self._server = [(b"server", name.encode("latin-1", "replace"))] if name else []
        self._described: list[tuple[bytes, bytes]] = []
        self._switching = b""
        self._second = 0

    def describe(self) -> list[tuple[bytes, bytes]]:
        """Those of a response that starts now."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._described = [(b"date", formatdate(second, usegmt=True).encode()), *self._server]
            self._switching = encode_lines(b"", self._described)
        return self._described

    def encode_switching(self) -> bytes:
        """The same as they end the head of a 101."""
        self.describe()
        return self._switching
