"""Why a connection to Redis failed, for an operator who may not know errno names."""

import errno
import os
import socket
import ssl

from awxfast.system.connect_failure import find_errno

CLOSED = "it closed the connection"
_WORDS = {
    errno.ENOENT: "no such socket (is Redis running?)",
    errno.EACCES: "no permission to open the socket",
    errno.ECONNREFUSED: "connection refused (is Redis running?)",
    errno.ECONNRESET: CLOSED,
}


_HOST_NAME = "; ssl_check_hostname=false leaves the name unchecked"
"""Until its version 6 redis-py did so unasked."""


def describe_failure(error: Exception) -> str:
    """In a few words; the system's own where there are no better ones."""
    if isinstance(error, ssl.SSLError):
        return describe_tls(error)
    if isinstance(error, socket.gaierror):
        return "the host's name is not known"
    number = find_errno(error)
    if number is None:
        return str(error) or type(error).__name__
    return _WORDS.get(number) or os.strerror(number)


def describe_tls(error: ssl.SSLError) -> str:
    """Whose fault it is: its certificate, ours, or neither speaks as the other does."""
    if isinstance(error, ssl.SSLCertVerificationError):
        is_name = "ostname mismatch" in error.verify_message or "IP address mismatch" in error.verify_message
        return f"its certificate is refused: {error.verify_message}{_HOST_NAME if is_name else ''}"
    reason = (error.reason or "").lower().replace("_", " ")
    if "certificate required" in reason or reason.endswith("handshake failure"):
        return "it wants a certificate of ours: ssl_certfile and ssl_keyfile"
    if "alert" in reason:
        return f"it refuses our TLS: {reason.partition('alert ')[2] or reason}"
    return "what listens there does not speak TLS as we do"
