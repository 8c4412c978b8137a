"""The opening handshake, server side (RFC 6455 section 4.2): a request in, a decision and bytes out."""

import binascii
import dataclasses
import hashlib
import http
import re
from collections.abc import Sequence
from typing import Literal

from awxfast.wire.request import Request, list_tokens, split_lists

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
STATUS_LINES = {int(status): f"HTTP/1.1 {status} {status.phrase}".encode() for status in http.HTTPStatus}
KNOWN_STATUSES = frozenset(STATUS_LINES)
TOKEN = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+")

SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: "

Headers = Sequence[tuple[bytes, bytes]]


Reason = Literal["origin", "session", "token", "secret", "nonce", "path", "head", "limit", "application", "access"]
"""Why somebody is refused, in one word for logs, counters and docs/troubleshooting.md; what exactly, words say."""


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP answer in place of a 101 or of a response. `reason` is for operators, `text` for the caller."""

    status: int
    reason: Reason
    text: str
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def body(self) -> bytes:
        """The body of the response."""
        return self.text.encode() + b"\n"


@dataclasses.dataclass(frozen=True, slots=True)
class Handshake:
    """A valid upgrade request: the answer to its key and the subprotocols that it offers."""

    accept_key: bytes
    subprotocols: tuple[str, ...] = ()


RETRY = ((b"retry-after", b"5"),)
UPGRADE_REQUIRED = Refusal(426, "head", "This is a websocket endpoint.", ((b"upgrade", b"websocket"),))
WRONG_VERSION = Refusal(
    426,
    "head",
    "Only version 13 of the websocket protocol is spoken here.",
    ((b"upgrade", b"websocket"), (b"sec-websocket-version", b"13")),
)
UNEXPECTED_BODY = Refusal(400, "head", "A websocket handshake has no body.")
WRONG_KEY = Refusal(400, "head", "Sec-WebSocket-Key is not 16 bytes of base64.")
WRONG_SUBPROTOCOL = Refusal(400, "head", "Sec-WebSocket-Protocol is not a list of tokens.")


def wants_websocket(version: str, headers: Headers) -> bool:
    """Whether this is an upgrade to websocket at all. HTTP/1.0 can't upgrade (RFC 9110 section 7.8)."""
    connection = list_tokens([value for name, value in headers if name == b"connection"])
    upgrade = list_tokens([value for name, value in headers if name == b"upgrade"])
    return version == "1.1" and b"upgrade" in connection and b"websocket" in upgrade


def check_handshake(request: Request) -> Handshake | Refusal:
    """Checks a GET for which `wants_websocket` holds."""
    if request.first(b"transfer-encoding") is not None or request.first(b"content-length") not in (None, b"0"):
        return UNEXPECTED_BODY
    if request.values(b"sec-websocket-version") != [b"13"]:
        return WRONG_VERSION
    keys = request.values(b"sec-websocket-key")
    if len(keys) != 1 or not is_key(keys[0]):
        return WRONG_KEY
    subprotocols = list_subprotocols(request.values(b"sec-websocket-protocol"))
    if subprotocols is None:
        return WRONG_SUBPROTOCOL
    return Handshake(accept_key(keys[0]), subprotocols)


def is_key(value: bytes) -> bool:
    """Whether a Sec-WebSocket-Key is what it has to be: 16 bytes in base64 with its padding."""
    try:
        return len(value) == 24 and len(binascii.a2b_base64(value, strict_mode=True)) == 16
    except binascii.Error:
        return False


def accept_key(key: bytes) -> bytes:
    """Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455 section 4.2.2, point 5.4)."""
    return binascii.b2a_base64(hashlib.sha1(key + GUID, usedforsecurity=False).digest(), newline=False)


def list_subprotocols(values: list[bytes]) -> tuple[str, ...] | None:
    """The subprotocols of all Sec-WebSocket-Protocol lines, in order; None if one of them is no token."""
    if not values:
        return ()
    names = split_lists(values)
    return tuple(name.decode("ascii") for name in names) if all(map(TOKEN.fullmatch, names)) else None


def encode_acceptance(handshake: Handshake, headers: Headers = ()) -> bytes:
    """The 101's bytes; `headers` are added."""
    return encode_lines(SWITCHING + handshake.accept_key, headers)


def encode_refusal(refusal: Refusal, headers: Headers = ()) -> bytes:
    """A whole response that ends the connection; `headers` are added."""
    return encode_head(refusal.status, (*describe_refusal(refusal, closes=True), *headers)) + refusal.body


def describe_refusal(refusal: Refusal, *, closes: bool) -> list[tuple[bytes, bytes]]:
    """The headers of a refusal. `Upgrade` is named in `Connection` too (RFC 9110 section 7.8)."""
    upgrades = any(name == b"upgrade" for name, _ in refusal.headers)
    connection = [b"Upgrade"] * upgrades + [b"close"] * closes
    return [
        *refusal.headers,
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(refusal.body)).encode()),
        *((b"connection", token) for token in connection),
    ]


def encode_head(status: int, headers: Headers) -> bytes:
    """A status line and header lines, with the empty line that ends them."""
    return encode_lines(STATUS_LINES.get(status) or b"HTTP/1.1 %d " % status, headers)


def encode_lines(first: bytes, headers: Headers) -> bytes:
    """What a head begins with, and header lines behind it, with the empty line that ends them."""
    return b"\r\n".join([first, *[b"%b: %b" % header for header in headers], b"", b""])
