"""The process's own figures, under the names and with the meaning that Prometheus' client library gives them.

The library's own collector lists all descriptors, which keeps the loop from its work where there are thousands.
"""

import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from awxfast.system.descriptors import OpenDescriptors

PREFIX = "awxfast_process_"


class ProcessCollector(Collector):
    """CPU time, memory, descriptors and the start."""

    def __init__(self) -> None:
        self._started = time.time() - read_age()
        self._descriptors = OpenDescriptors()

    def collect(self) -> Iterator[Metric]:
        """What the kernel says now."""
        pages, resident, *_ = Path("/proc/self/statm").read_text().split()
        usage = resource.getrusage(resource.RUSAGE_SELF)
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        yield gauge("virtual_memory_bytes", "Address space.", int(pages) * resource.getpagesize())
        yield gauge("resident_memory_bytes", "Memory.", int(resident) * resource.getpagesize())
        yield gauge("start_time_seconds", "When it started, in Unix time.", self._started)
        yield CounterMetricFamily(PREFIX + "cpu_seconds", "CPU time.", usage.ru_utime + usage.ru_stime)
        yield gauge("open_fds", "Open descriptors.", self._descriptors.count())
        yield gauge("max_fds", "The most it may have.", float("inf") if most == resource.RLIM_INFINITY else most)


def gauge(name: str, documentation: str, value: float) -> Metric:
    """One of the process's."""
    return GaugeMetricFamily(PREFIX + name, documentation, value)


def read_age() -> float:
    """Seconds since the process was started (proc_pid_stat(5), `starttime`)."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
