"""Runs as text: for each workload a table of its figures, with ratios."""

import statistics
from collections.abc import Iterable, Sequence

Figures = dict[str, float]

TITLES = {
    "sender_cpu_s_per_m": "sender: CPU s per M frames",
    "reader_cpu_s_per_m": "load client: CPU s per M frames",
    "handshakes_per_s": "handshakes/s",
    "made_per_s": "events/s made",
    "frames_per_s": "frames/s",
    "cpu_s_per_m": "CPU s per M frames",
    "frames_per_cpu_s": "frames per CPU s",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "max_ms": "max ms",
    "missing": "frames not delivered",
    "reordered": "out of order",
    "repeated": "twice",
    "disconnected": "closed",
    "shed": "shed",
    "balance": "ledger off by",
    "server_cpu_percent": "server CPU %",
    "redis_cpu_percent": "Redis CPU %",
    "clients_cpu_percent": "clients CPU %",
    "producer_cpu_percent": "producer CPU %",
    "strangers_cpu_percent": "strangers CPU %",
    "grown_mib": "RSS grown MiB",
    "rss_kib_a_client": "RSS KiB a client",
    "pss_kib_a_client": "PSS KiB a client",
    "rss_mib_before": "RSS MiB before",
    "rss_mib_left_after": "RSS MiB left after",
    "subscriptions_per_s": "subscriptions/s",
    "cpu_us_a_client": "CPU us a client",
}
# How many times better it is than daphne: above 1 is better. The others are no matter of better and worse.
MORE_IS_BETTER = ("handshakes_per_s", "frames_per_s", "frames_per_cpu_s", "subscriptions_per_s")
MEMORY = ("rss_kib_a_client", "pss_kib_a_client")
LESS_IS_BETTER = ("cpu_s_per_m", "p50_ms", "p99_ms", "max_ms", "cpu_us_a_client", *MEMORY)


def table(runs: dict[str, list[Figures]]) -> str:
    """Markdown of `runs` (server to its runs, in the order they were made): minimum / median / maximum."""
    compared = [server for server in runs if server != "daphne"] if "daphne" in runs else []
    lines = [["", *runs, *(f"{server} better, times" for server in compared)]]
    for name, title in TITLES.items():
        cells = [spread(collect(name, server_runs)) for server_runs in runs.values()]
        if any(cells):
            lines.append([title, *cells, *(spread(better(name, runs, server)) for server in compared)])
    return markdown(lines)


def collect(name: str, runs: Iterable[Figures]) -> list[float]:
    return [figures[name] for figures in runs if name in figures]


def better(name: str, runs: dict[str, list[Figures]], server: str = "awxfast") -> list[float]:
    """Ratios within a round: the machine's mood changes between rounds, not within one."""
    pairs = zip(collect(name, runs["daphne"]), collect(name, runs[server]), strict=False)
    if name in MORE_IS_BETTER:
        return [ours / daphne for daphne, ours in pairs if daphne]
    if name in LESS_IS_BETTER:
        return [daphne / ours for daphne, ours in pairs if ours]
    return []


def spread(values: Sequence[float]) -> str:
    """`minimum / median / maximum`, or the one value when all read the same."""
    if not values:
        return ""
    texts = [number(value) for value in (min(values), statistics.median(values), max(values))]
    return texts[0] if len(set(texts)) == 1 else " / ".join(texts)


def number(value: float) -> str:
    """Three digits, or all of a larger number's."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """The first line is the head."""
    head, *body = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([head, "|---" * len(lines[0]) + "|", *body])
