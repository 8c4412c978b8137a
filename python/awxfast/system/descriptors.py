"""How many descriptors this process may have, and has."""

import concurrent.futures
import contextlib
import os
import resource
from pathlib import Path

NO_LIMIT = 1 << 20
"""What an unlimited process gets in fact: Linux' default for fs.nr_open."""
OWN = "/proc/self/fd"


def descriptor_limit() -> int:
    """The soft limit, as it is now."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return NO_LIMIT if soft == resource.RLIM_INFINITY else soft


class OpenDescriptors:
    """How many are open: at 16,000 a list of them takes a seventh of a second, which nobody is to wait for."""

    def __init__(self) -> None:
        """Lists them, if the kernel does not tell: there are few at the start."""
        self._listed = 0 if read_count() else list_count()
        self._lister = concurrent.futures.ThreadPoolExecutor(1, "descriptors")
        self._listing: concurrent.futures.Future[int] | None = None

    def count(self) -> int:
        """The kernel's own count, since Linux 6.2; before, what a thread has listed since the last look."""
        told = read_count()
        if told:
            return told
        if self._listing is not None and self._listing.done():
            with contextlib.suppress(OSError):  # there was none left for the list
                self._listed = self._listing.result()
            self._listing = None
        if self._listing is None:
            self._listing = self._lister.submit(list_count)
        return self._listed


def read_count() -> int:
    """0: this kernel does not tell."""
    return Path(OWN).stat().st_size


def list_count() -> int:
    """All but the one that the list itself takes."""
    with os.scandir(OWN) as entries:
        return sum(1 for _ in entries) - 1
