"""Why a dial failed, in words for the operator, with what to do about it."""

import asyncio
import dataclasses
import email.utils
import errno
import os
import re
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from awxfast.broadcast.target import Target
from awxfast.printable import escape
from awxfast.wire.handshake import KNOWN_STATUSES

REDIRECTS = frozenset({301, 302, 303, 307, 308})
REFUSED = "refused"
CLOCK_TROUBLE = 30
"""Seconds between the peer's clock, as its Date header tells, and ours that are worth a word."""

_WORDS = {
    errno.ECONNREFUSED: "connection refused (does the peer listen on this port?)",
    errno.ECONNRESET: "the peer reset the connection",
    errno.ETIMEDOUT: "no answer to the connection",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "the network is not reachable",
}


@dataclasses.dataclass(frozen=True, slots=True)
class DialFailure:
    """`kind` is the state and a counter's label: the log has a line when it changes. `status`: of HTTP, or 0.

    `clock_skew`: the peer's clock less ours in seconds, where its answer tells.
    """

    kind: str
    text: str
    status: int = 0
    clock_skew: int | None = None


def explain_answer(target: Target, status: int, headers: Mapping[str, str], now: float) -> DialFailure:
    """An HTTP answer other than 101. `now` in Unix seconds."""
    if status in REDIRECTS:
        return DialFailure("redirected", explain_redirect(target, headers.get("Location", "")), status)
    if status == 403:
        skew = read_clock_skew(headers.get("Date"), now)
        return DialFailure(REFUSED, "it refuses our secret (403)" + explain_clock(skew), status, skew)
    words = {
        404: "it has no node endpoint at this path (404); is a relay there, and --era right?",
        500: "it failed (500), as stock AWX does at a path of the other era; is --era right?",
        502: "a proxy there has no server behind it (502)",
        503: "it takes no connections at present (503)",
    }
    kind = f"http_{status}" if status in KNOWN_STATUSES else "http_other"  # a peer may make up a hundred
    return DialFailure(kind, words.get(status, f"it answered {status}"), status)


def explain_redirect(target: Target, location: str) -> str:
    """Redirects are not followed: the secret would go to wherever they point."""
    try:
        parts = urlsplit(location)
        host, scheme = parts.netloc.rpartition("@")[2], parts.scheme
    except ValueError:
        host = scheme = ""
    where = f" to {scheme}://{host}" if host else " elsewhere"
    setting = "--port"
    if target.protocol == "http" and scheme in ("https", "wss"):
        setting = "--protocol https, or --port: this one takes plain requests only to redirect them"
    return f"it redirects{escape(where)}, which is not followed; mend {setting}"


def read_clock_skew(date: str | None, now: float) -> int | None:
    """The peer's clock less ours in seconds, from its Date header (RFC 9110 section 6.6.1)."""
    try:
        return round(email.utils.parsedate_to_datetime(date or "").timestamp() - now)
    except (TypeError, ValueError, OverflowError):
        return None


def explain_clock(skew: int | None) -> str:
    """How far the clocks differ, if that matters: a nonce may be 300 s off."""
    if skew is None:
        return "; compare the secrets of both nodes, and their clocks"
    if abs(skew) < CLOCK_TROUBLE:
        return "; compare the secrets of both nodes, their clocks agree"
    direction = "ahead of" if skew > 0 else "behind"
    return f"; its clock is {abs(skew)} s {direction} ours: mend that first, a nonce may be 300 s off"


def explain_error(error: BaseException) -> DialFailure:
    """An error of the network, of TLS, or an answer that is not HTTP."""
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return DialFailure("timeout", "no answer in time")
    if isinstance(error, ssl.SSLCertVerificationError):
        return DialFailure(
            "certificate", f"its certificate is refused: {error.verify_message}; --ca-file names whom to trust"
        )
    if isinstance(error, ssl.SSLError):
        return DialFailure("tls", "it does not speak TLS as we do; is --protocol right?")
    if isinstance(error, socket.gaierror):
        return DialFailure("unknown_host", "the host's name is not known")
    if isinstance(error, OSError):
        return DialFailure("unreachable", describe_os_error(error))
    return DialFailure("not_http", f"its answer is not that of a websocket server ({escape(str(error))})")


def describe_os_error(error: OSError) -> str:
    """Why a connection failed; of a name with several addresses, the first reason."""
    number = error.errno
    if number is None and (first := re.search(r"\[Errno (\d+)\]", str(error))):
        number = int(first[1])
    if number is None:
        return str(error) or "the connection broke"
    return _WORDS.get(number) or os.strerror(number)
