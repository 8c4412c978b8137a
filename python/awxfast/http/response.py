"""The bytes of an application's response: what its headers say about its body, and what may be written of it."""

from collections.abc import Iterable, Sequence

from awxfast.wire.handshake import Headers, encode_head
from awxfast.wire.request import list_tokens

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
NO_BODY = frozenset({204, 304})
FRAMING = frozenset({b"connection", b"content-length", b"transfer-encoding"})
"""Headers that are the server's affair too."""
MAX_LENGTH_DIGITS = 18
"""Of a Content-Length: what every counter of 64 bits holds."""


class Response:
    """A response under way, RFC 9112 section 6: framing is the server's affair, and never both kinds at once.

    `has_trailers`: they follow the body, where its framing has a place for them, and end the response.
    `keeps_alive` is whether another request may follow; it becomes false where the connection's end is the body's.
    Raises `ValueError` for what would put the connection out of step.
    """

    __slots__ = ("_has_trailers", "_is_chunked", "_left", "_may_have_body", "keeps_alive")

    def __init__(self, *, keeps_alive: bool, has_trailers: bool = False) -> None:
        self.keeps_alive = keeps_alive
        self._has_trailers = has_trailers
        self._may_have_body = True
        self._is_chunked = False
        self._left: int | None = None

    def encode_head(self, method: str, version: str, status: int, headers: Headers, described: Headers) -> bytes:
        """Its head. `described` are the server's headers, where the application has none of its own."""
        self._may_have_body = method != "HEAD" and status not in NO_BODY
        kept = self._read_headers(status, headers)
        if self._left is None and self._may_have_body:
            if version == "1.1":
                self._is_chunked = True
                kept.append((b"transfer-encoding", b"chunked"))
            else:
                self.keeps_alive = False
        if not self.keeps_alive:
            kept.append((b"connection", b"close"))
        elif version == "1.0":
            kept.append((b"connection", b"keep-alive"))
        return encode_head(status, [*add_missing(described, kept), *kept])

    def _read_headers(self, status: int, headers: Headers) -> list[tuple[bytes, bytes]]:
        """Those that go out, less what is said about framing and connection."""
        kept = []
        for header in headers:
            name, value = header
            key = name.lower()
            if key not in FRAMING:
                kept.append(header)
                continue
            if key == b"connection":
                options = list_tokens([value])
                self.keeps_alive &= b"close" not in options
                kept += [(name, option) for option in options if option not in (b"close", b"keep-alive")]
                continue
            if key == b"content-length":
                self._read_length(value)
                if status != 204:  # RFC 9110 section 8.6
                    kept.append(header)
        return kept

    def _read_length(self, value: bytes) -> None:
        if self._left is not None or not value.isdigit() or len(value) > MAX_LENGTH_DIGITS:
            raise ValueError(f"the response's Content-Length is no length, or comes twice: {value[:40]!r}")
        self._left = int(value)

    @property
    def awaits_trailers(self) -> bool:
        """Whether the body's end is not the response's."""
        return self._has_trailers and self._is_chunked

    def encode_body(self, body: bytes, *, is_last: bool) -> bytes:
        """What is written for a part of it."""
        if not self._may_have_body:
            return b""
        if self._is_chunked:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            return chunk + LAST_CHUNK if is_last and not self._has_trailers else chunk
        if self._left is not None:
            self._left -= len(body)
            if self._left < 0:
                raise ValueError("the response's body is longer than its Content-Length")
        return body

    def encode_trailers(self, headers: Headers, *, is_last: bool) -> bytes:
        """A part of what follows the body (RFC 9112 section 7.1.2); the last chunk goes before the first."""
        begin = b"0\r\n" if self._has_trailers else b""
        self._has_trailers = False
        return begin + b"".join(b"%b: %b\r\n" % header for header in headers) + (b"\r\n" if is_last else b"")

    def check_end(self) -> None:
        """What was promised is there."""
        if self._left and self._may_have_body:
            raise ValueError("the response's body is shorter than its Content-Length")


def encode_hints(links: Iterable[bytes]) -> bytes:
    """An interim response that lets a browser fetch ahead (RFC 8297)."""
    return b"HTTP/1.1 103 Early Hints\r\n" + b"".join(b"link: %b\r\n" % link for link in links) + b"\r\n"


def add_missing(described: Headers, headers: Headers) -> Sequence[tuple[bytes, bytes]]:
    """The server's own headers that are not among an application's, which win."""
    if not headers:
        return described
    names = {name.lower() for name, _ in headers}
    return [header for header in described if header[0] not in names]
