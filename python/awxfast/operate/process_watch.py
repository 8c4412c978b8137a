"""The process's own figures, with the meaning that Prometheus' client library gives them.

The library's own collector lists all descriptors, which keeps the loop from its work where there are thousands.
"""

import os
import resource
import time
import weakref
from pathlib import Path

from awxfast.figures import ProcessFigures
from awxfast.operate.busy_threads import count_busy_threads
from awxfast.system.descriptors import OpenDescriptors

LONGEST_STATM = 200
"""Bytes: more than its seven numbers take (proc_pid_statm(5))."""


class ProcessWatch:
    """CPU time, memory, descriptors, threads and the start."""

    def __init__(self) -> None:
        self._started = time.time() - read_age()
        self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)  # there may be no descriptor for it later
        weakref.finalize(self, os.close, self._statm)
        self._descriptors = OpenDescriptors()

    def read(self) -> ProcessFigures:
        """What they are now."""
        pages, resident, *_ = os.pread(self._statm, LONGEST_STATM, 0).split()
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return ProcessFigures(
            virtual_memory=int(pages) * resource.getpagesize(),
            resident_memory=int(resident) * resource.getpagesize(),
            started=self._started,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            descriptors=self._descriptors.count(),
            limits=read_limits(),
            busy_threads=count_busy_threads(),
        )


def read_limits() -> dict[str, int | None]:
    """The soft and the hard limit of descriptors; None: there is none."""
    limits = zip(("soft", "hard"), resource.getrlimit(resource.RLIMIT_NOFILE), strict=True)
    return {name: None if limit == resource.RLIM_INFINITY else limit for name, limit in limits}


def read_age() -> float:
    """Seconds since the process was started (proc_pid_stat(5), `starttime`)."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
