"""stdin, stdout and stderr of a process that was started without some of them."""

import io
import os
import sys


def open_closed_descriptors() -> None:
    """Closed ones become /dev/null, before a socket or file gets their numbers; children inherit them."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))
    if sys.stdout is None:
        sys.stdout = open_to_write(1)
    if sys.stderr is None:
        sys.stderr = open_to_write(2)


def open_to_write(number: int) -> io.TextIOWrapper:
    """A stream as Python makes it at its start; no text is refused."""
    raw = io.BufferedWriter(io.FileIO(number, "w", closefd=False))
    return io.TextIOWrapper(raw, errors="backslashreplace", line_buffering=True)
