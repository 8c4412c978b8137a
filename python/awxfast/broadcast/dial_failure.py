"""Why a dial failed, in words for the operator, with what to do about it."""

import dataclasses
import email.utils
from collections.abc import Mapping

from awxfast.broadcast.target import Target
from awxfast.printable import escape
from awxfast.system.connect_failure import REDIRECTS, Remedies, describe_redirect, explain_unreached
from awxfast.wire.handshake import KNOWN_STATUSES

REFUSED = "refused"
CLOCK_TROUBLE = 30
"""Seconds between the peer's clock, as its Date header tells, and ours that are worth a word."""

REMEDIES = Remedies(
    refused="does the peer listen on this port?",
    certificate="--ca-file names whom to trust",
    tls="is --protocol right?",
)


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
    where, scheme = describe_redirect(location)
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
    if found := explain_unreached(error, REMEDIES):
        return DialFailure(*found)
    return DialFailure("not_http", f"its answer is not that of a websocket server ({escape(str(error))})")
