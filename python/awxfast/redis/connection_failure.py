"""Why a connection to Redis failed, for an operator who may not know errno names."""

import errno
import os
import socket

from awxfast.system.connect_failure import find_errno

_WORDS = {
    errno.ENOENT: "no such socket (is Redis running?)",
    errno.EACCES: "no permission to open the socket",
    errno.ECONNREFUSED: "connection refused (is Redis running?)",
    errno.ECONNRESET: "it closed the connection",
}


def describe_failure(error: Exception) -> str:
    """In a few words; the system's own where there are no better ones."""
    if isinstance(error, socket.gaierror):
        return "the host's name is not known"
    number = find_errno(error)
    if number is None:
        return str(error) or type(error).__name__
    return _WORDS.get(number) or os.strerror(number)
