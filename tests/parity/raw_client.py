"""A client made of bytes, for plain requests and for handshakes."""

import dataclasses
import json
import socket
from typing import Any

from resets import reset_at_close
from servers import HANG

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


@dataclasses.dataclass
class Response:
    """One response, its body as the client would see it."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    def json(self) -> Any:
        return json.loads(self.body)


class RawClient:
    """One connection."""

    def __init__(self, address: tuple[str, int] | str, receive_buffer: int | None = None) -> None:
        self.sock = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(HANG)
        self.sock.connect(address)
        self._unread = b""

    def __enter__(self) -> "RawClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def reset(self) -> None:
        """Ends the connection with an RST."""
        reset_at_close(self.sock)
        self.sock.close()

    def send(self, *data: bytes) -> None:
        self.sock.sendall(b"".join(data))

    def _more(self) -> bool:
        piece = self.sock.recv(65536)
        self._unread += piece
        return bool(piece)

    def read_until(self, mark: bytes) -> bytes:
        while mark not in self._unread:
            assert self._more(), f"the connection ended in {self._unread!r}"
        found, _, self._unread = self._unread.partition(mark)
        return found + mark

    def read(self, size: int) -> bytes:
        while len(self._unread) < size:
            assert self._more(), f"the connection ended in {self._unread!r}"
        found, self._unread = self._unread[:size], self._unread[size:]
        return found

    def read_to_end(self) -> bytes:
        try:
            while self._more():
                pass
        except ConnectionResetError:
            pass
        found, self._unread = self._unread, b""
        return found

    def read_head(self) -> tuple[int, list[tuple[str, str]]]:
        lines = self.read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = [line.split(":", 1) for line in lines[1:] if line]
        return int(lines[0].split(" ")[1]), [(name.lower(), value.strip()) for name, value in headers]

    def read_response(self, method: str = "GET") -> Response:
        status, headers = self.read_head()
        known = dict(headers)
        if method == "HEAD" or status in (204, 304) or status < 200:
            body = b""
        elif known.get("transfer-encoding") == "chunked":
            body = self._read_chunks()
        elif "content-length" in known:
            body = self.read(int(known["content-length"]))
        else:
            body = self.read_to_end()
        return Response(status, headers, body)

    def _read_chunks(self) -> bytes:
        body = b""
        while size := int(self.read_until(b"\r\n"), 16):
            body += self.read(size)
            self.read(2)
        self.read_until(b"\r\n")
        return body

    def request(self, head: str, body: bytes = b"", method: str | None = None) -> Response:
        """One request of lines; `Host` is added."""
        first, *lines = head.split("\n")
        text = "\r\n".join([first, "Host: test", *lines, "", ""])
        self.send(text.encode("latin-1"), body)
        return self.read_response(method or first.split(" ")[0])


def ask(address: tuple[str, int] | str, head: str, body: bytes = b"") -> Response:
    """One request on a connection of its own."""
    with RawClient(address) as client:
        return client.request(head, body)


def handshake(target: str, *lines: str) -> str:
    """The head of an upgrade, without `Host`."""
    fixed = ["Connection: Upgrade", "Upgrade: websocket", f"Sec-WebSocket-Key: {KEY}", "Sec-WebSocket-Version: 13"]
    return "\n".join([f"GET {target} HTTP/1.1", *fixed, *lines])


def read_text_frame(client: RawClient) -> str:
    """The payload of the text frame that comes next."""
    first, size = client.read(2)
    assert first == 0x81
    if size == 126:
        size = int.from_bytes(client.read(2), "big")
    return client.read(size).decode()


def upgrade(client: RawClient, target: str, *lines: str) -> list[tuple[str, str]]:
    """Opens a websocket; the 101's headers."""
    first, *rest = handshake(target, *lines).split("\n")
    client.send("\r\n".join([first, "Host: test", *rest, "", ""]).encode("latin-1"))
    status, headers = client.read_head()
    assert status == 101, (status, headers)
    return headers
