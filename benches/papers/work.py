"""Which of awxfast's threads the CPU time of a frame, client, request or message goes to, how much of it the kernel."""

from collections.abc import Mapping

from machine.accounting import Work

from papers.tables import Runs, collect, markdown, spread
from papers.two_workers import ONE, TWO

OURS = ("awxfast", "hosted", "direct", ONE, TWO)
PER = ("cpu_s_per_m", "cpu_us_a_client", "cpu_us_a_request", "cpu_us_a_message")
"""Microseconds a frame, a client that connects and subscribes, a request, or a message to an application and back."""
HEAD = ("CPU us a frame, client, request or message", "Python %", "its kernel %", "fan-out %", "its kernel %")


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
