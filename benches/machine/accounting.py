"""What a process and its children cost: CPU seconds and memory, from its clock and /proc (proc(5))."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

PROC = Path("/proc")
FANOUT_THREADS = "fanout-"


@dataclass(frozen=True)
class Usage:
    """A process tree at one moment. Memory in bytes; PSS shares out what several processes map."""

    cpu_s: float
    rss: int
    pss: int

    def __add__(self, other: Self) -> Self:
        return type(self)(self.cpu_s + other.cpu_s, self.rss + other.rss, self.pss + other.pss)


@dataclass(frozen=True)
class Work:
    """CPU seconds of awxfast's threads: those of the fan-out and Python's, each in its own code and in the kernel."""

    python: float = 0.0
    python_kernel: float = 0.0
    fanout: float = 0.0
    fanout_kernel: float = 0.0

    def percent_since(self, before: Self) -> dict[str, float]:
        """What each took of all that was spent since; nothing if nothing was."""
        spent = {name: value - getattr(before, name) for name, value in vars(self).items()}
        total = sum(spent.values())
        return {f"{name}_percent": 100 * value / total for name, value in spent.items()} if total else {}


def work_of(pid: int) -> Work:
    """Of `pid` and all its living descendants, to 10 ms a thread."""
    ticks = [0] * 4
    for member in process_tree(pid):
        for thread in (PROC / str(member) / "task").glob("*"):
            try:
                name, fields = _read_stat(thread)
            except OSError:
                continue
            place = 2 if name.startswith(FANOUT_THREADS) else 0
            ticks[place] += int(fields[11])
            ticks[place + 1] += int(fields[12])
    return Work(*(count / os.sysconf("SC_CLK_TCK") for count in ticks))


def usage_of(pid: int) -> Usage:
    """Of `pid` and all its living descendants."""
    pids = process_tree(pid)
    memory = [_memory(member) for member in pids]
    return Usage(sum(map(_cpu_seconds, pids)), sum(rss for rss, _ in memory), sum(pss for _, pss in memory))


def process_tree(pid: int) -> list[int]:
    """`pid` and its living descendants."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (parent := _parent(entry)) is not None:
            children.setdefault(parent, []).append(int(entry.name))
    tree = [pid]
    for member in tree:
        tree += children.get(member, [])
    return tree


def machine_cpu_seconds() -> float:
    """What all cores have spent since boot on anything but idling and waiting for disks."""
    fields = [int(field) for field in (PROC / "stat").read_text().splitlines()[0].split()[1:9]]
    idle, waiting = fields[3:5]
    return (sum(fields) - idle - waiting) / os.sysconf("SC_CLK_TCK")


def _parent(process: Path) -> int | None:
    try:
        return int(_read_stat(process)[1][1])
    except (OSError, IndexError):
        return None


def _read_stat(entry: Path) -> tuple[str, list[str]]:
    """A process's or thread's name, and the fields behind it; the name may hold spaces and brackets."""
    front, _, rest = (entry / "stat").read_text().rpartition(")")
    return front.partition("(")[2], rest.split()


def _cpu_seconds(pid: int) -> float:
    """User and system time of all its threads, ended ones too: `/proc/<pid>/stat` would round it to 10 ms.

    The clock's number is what clock_getcpuclockid(3) computes.
    """
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return 0.0


def _memory(pid: int) -> tuple[int, int]:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0, 0
    kibibytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines[1:])}
    return kibibytes["Rss"] * 1024, kibibytes["Pss"] * 1024
