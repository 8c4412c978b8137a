"""What each run was bound by: so that nobody takes the load's limit for a server's."""

import statistics
from collections.abc import Mapping, Sequence

from papers.tables import Figures, Runs, collect, markdown, number, spread
from papers.two_workers import ONE, TWO

FULL_PERCENT = 88.0
"""Of a core: with what the kernel and strangers take, more is not to be had."""
CORES = ("server_cpu_percent", "load_core_percent", "clients_cpu_percent")


def bounds_table(results: Mapping[str, Runs]) -> str:
    """Markdown: one line a workload and server that had a load and a core to itself."""
    lines = [["workload", "server", "server's core %", "load's core %", "of which load client %", "bound by"]]
    for workload, runs in results.items():
        for server, server_runs in runs.items():
            if server not in (ONE, TWO) and any(CORES[1] in figures for figures in server_runs):
                cells = [spread(collect(name, server_runs)) for name in CORES]
                lines.append([workload, server, *cells, bound(server_runs)])
    return "\n\n".join([markdown(lines), *capacity(results)])


def bound(runs: Sequence[Figures]) -> str:
    """By the medians. With the load's core full, frames/s is a floor; CPU a frame and latency of the server hold."""
    server, load, clients = (statistics.median(collect(name, runs) or [0.0]) for name in CORES)
    if clients >= FULL_PERCENT:
        return "**the load client**"
    if load >= FULL_PERCENT and load > server:
        return "the load's core"
    if server >= FULL_PERCENT:
        return "the server's core"
    return "the rate" if any("late_ms" in figures for figures in runs) else "neither"


def capacity(results: Mapping[str, Runs]) -> list[str]:
    """How much the load client could read with a whole core, as `wsload rawlimit` measured it in the same run."""
    found = []
    for workload, runs in results.items():
        values = collect("reader_frames_per_cpu_s", runs.get("raw", ()))
        if values:
            found.append(f"{number(statistics.median(values) / 1e6)} M ({workload.removeprefix('alone-')})")
    return [f"The load client reads, with a core of its own, frames a second: {', '.join(found)}."] if found else []
