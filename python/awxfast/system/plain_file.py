"""Reads a file that an operator names. Nothing else that a path may lead to is opened for reading: a pipe would wait
for a writer for as long as there is none, and with it the process; a device may never end."""

import errno
import os
import stat
from pathlib import Path

MOST_BYTES = 16_777_216
"""More is not what anybody means to give."""


def read_plain_file(file: str | Path) -> bytes:
    """All of it. Raises `OSError`, whose `strerror` says in words what is wrong."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no plain file")
        with open(descriptor, "rb", closefd=False) as opened:
            data = opened.read(MOST_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > MOST_BYTES:
        raise OSError(errno.EFBIG, f"it has more than {MOST_BYTES} bytes")
    return data
