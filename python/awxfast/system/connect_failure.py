"""Why somebody could not be reached over the network, in words for the operator, with what to do about it."""

import asyncio
import dataclasses
import errno
import os
import re
import socket
import ssl
from urllib.parse import urlsplit

REDIRECTS = frozenset({301, 302, 303, 307, 308})

_WORDS = {
    errno.ECONNRESET: "the connection was reset",
    errno.ETIMEDOUT: "no answer to the connection",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "the network is not reachable",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Remedies:
    """What to look at, in the words of the one who asks: where nobody listens, trusts, or speaks TLS."""

    refused: str
    certificate: str
    tls: str


def explain_unreached(error: BaseException, remedies: Remedies) -> tuple[str, str] | None:
    """A word for the kind, and why; None: it was reached, and the fault is in what it said.

    aiohttp's errors hold the one that they came of.
    """
    error = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return "timeout", "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "certificate", f"its certificate is refused: {error.verify_message}; {remedies.certificate}"
    if isinstance(error, ssl.SSLError):
        return "tls", f"it does not speak TLS as we do; {remedies.tls}"
    if isinstance(error, socket.gaierror):
        return "unknown_host", "the host's name is not known"
    if isinstance(error, OSError):
        return "unreachable", describe_os_error(error, remedies)
    return None


def describe_os_error(error: OSError, remedies: Remedies) -> str:
    """Why a connection failed; of a name with several addresses, the first reason."""
    number = find_errno(error)
    if number is None:
        return str(error) or "the connection broke"
    if number == errno.ECONNREFUSED:
        return f"connection refused ({remedies.refused})"
    return _WORDS.get(number) or os.strerror(number)


def find_errno(error: BaseException) -> int | None:
    """The system's number. Of a name with several addresses asyncio joins the errors into one text: the first's."""
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (first := re.search(r"\[Errno (\d+)\]", str(error))):
        number = int(first[1])
    return number


def describe_redirect(location: str) -> tuple[str, str]:
    """Where a Location leads, without path and credentials, as words that follow "redirects"; and its scheme.

    It is as strange as whoever sent it wanted it to be: escape it.
    """
    try:
        parts = urlsplit(location)
        host, scheme = parts.netloc.rpartition("@")[2], parts.scheme
    except ValueError:
        host = scheme = ""
    return f" to {scheme}://{host}" if host else " elsewhere", scheme
