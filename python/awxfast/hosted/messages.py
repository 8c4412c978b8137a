"""What the parts of an application's messages may be; `ValueError` tells it what may not."""

import functools
import re
from collections.abc import Sequence
from typing import Any

from awxfast.wire.close_codes import SENDABLE
from awxfast.wire.handshake import TOKEN

LONGEST_REASON = 123
"""Bytes that a close frame has for it (RFC 6455 section 5.5)."""

INVALID_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
RESERVED = (b"sec-websocket-", b"connection", b"upgrade", b"content-length", b"transfer-encoding")
"""Headers of a 101 that are not the application's."""


def check_headers(headers: Sequence[Any]) -> list[tuple[bytes, bytes]]:
    """An application's headers, names in lower case; raises `ValueError` for those that can't be sent."""
    checked = []
    for name, value in headers:
        if not isinstance(name, bytes) or not isinstance(value, bytes):
            raise ValueError(f"the name and the value of a header are bytes: {name!r}")  # noqa: TRY004  as in daphne
        known = lower_token(name)
        if not known or INVALID_VALUE.search(value):
            raise ValueError(f"the header {name!r} has a name or value that can't be sent")
        checked.append((known, value))
    return checked


@functools.lru_cache(maxsize=256)
def lower_token(name: bytes) -> bytes:
    """A header's name in lower case, empty if it is none; an application has few, and each response has them."""
    return name.lower() if TOKEN.fullmatch(name) else b""


def cut_reason(reason: str) -> bytes:
    """As much of it as fits into a close frame."""
    return reason.encode()[:LONGEST_REASON].decode(errors="ignore").encode()


def check_acceptance(headers: Sequence[Any]) -> list[tuple[bytes, bytes]]:
    """The headers that an application adds to a 101."""
    checked = check_headers(headers)
    for name, _ in checked:
        if name.startswith(RESERVED):
            raise ValueError(f"the header {name!r} of a 101 is the server's")
    return checked


def check_code(code: Any) -> int:
    """The code of a close."""
    if code not in SENDABLE:
        raise ValueError(f"{code!r} is no code that a close can have")
    return int(code)


def check_status(status: Any) -> int:
    """The status of a response."""
    if not isinstance(status, int) or not 200 <= status <= 599:
        raise ValueError(f"{status!r} is no status of a response")
    return int(status)
