"""The secret header as stock nodes make and check it: a plain twin of what awxfast does in Rust."""

import hashlib
import hmac
import json
import time

TOLERANCE = 300
"""Seconds that a nonce may be off, both ways."""


def make_header(secret: str, clock_error: int = 0) -> str:
    """What a dialler sends whose clock is off by so many seconds."""
    nonce = str(int(time.time()) + clock_error)
    return f"HMAC-SHA256 {nonce}:{make_digest(secret, nonce)}"


def make_digest(secret: str, nonce: str) -> str:
    payload = json.dumps({"secret": secret, "nonce": nonce})
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def accepts(secret: str, header: str | None, clock_error: int = 0) -> bool:
    """Whether a stock server lets a dialler in."""
    algorithm, _, rest = (header or "").partition(" ")
    nonce, _, digest = rest.partition(":")
    if algorithm != "HMAC-SHA256" or digest != make_digest(secret, nonce):
        return False
    return abs(int(time.time()) + clock_error - int(nonce)) <= TOLERANCE
