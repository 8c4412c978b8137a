"""Which of awxfast's threads the CPU time of a frame or of a client goes to, and how much of it to the kernel."""

from collections.abc import Mapping

from machine.accounting import Work

from papers.tables import Runs, collect, markdown, spread

OURS = ("awxfast", "hosted", "direct")
PER = ("cpu_s_per_m", "cpu_us_a_client")
"""Microseconds a frame, or a client that connects and subscribes."""
HEAD = ("CPU us a frame or client", "Python %", "its kernel %", "fan-out %", "its kernel %")


def work_table(results: Mapping[str, Runs]) -> str:
    """Markdown: one line a workload and awxfast's way to serve it."""
    lines = [["workload", "server", *HEAD]]
    for workload, runs in results.items():
        for server, found in runs.items():
            shares = [collect(f"{name}_percent", found) for name in vars(Work())]
            if server in OURS and all(shares):
                costs = next((costs for name in PER if (costs := collect(name, found))), [])
                lines.append([workload, server, spread(costs), *map(spread, shares)])
    return markdown(lines)
