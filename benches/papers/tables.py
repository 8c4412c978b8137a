"""Runs as text: for each workload a table of its figures, with ratios."""

import statistics
from collections.abc import Iterable, Mapping, Sequence

Figures = dict[str, float]
Runs = Mapping[str, Sequence[Figures]]
"""Server to its runs, in the order they were made."""

TITLES = {
    "best_frames_per_s": "best rate: frames/s",
    "offered_frames_per_s": "offered: frames/s",
    "lossless_per_s": "highest rate without loss: events/s",
    "flat_out_per_s": "flat out: events/s",
    "handshakes_per_s": "handshakes/s",
    "made_per_s": "events/s made",
    "events_per_s": "events/s",
    "events_per_cpu_s": "events per CPU s",
    "cpu_us_an_event": "CPU us an event",
    "sender_us_an_event": "sender (dialler): CPU us an event",
    "receiver_us_an_event": "a receiver (server): CPU us an event",
    "onward_us_an_event": "its Redis and dialler, and the sender's server: CPU us an event",
    "engine_us_an_event": "engine, all its servers: CPU us an event",
    "late_ms": "producer late, at most ms",
    "requests_per_s": "requests/s",
    "cpu_us_a_request": "CPU us a request",
    "messages_per_s": "messages/s",
    "cpu_us_a_message": "CPU us a message",
    "frames_per_s": "frames/s",
    "share_percent": "of its best rate %",
    "back_s": "back after s",
    "best_cpu_s_per_m": "best rate: CPU s per M frames",
    "best_load_core_percent": "best rate: load's core in use %",
    "sender_cpu_s_per_m": "sender: CPU s per M frames",
    "reader_cpu_s_per_m": "load client: CPU s per M frames",
    "cpu_s_per_m": "CPU s per M frames",
    "frames_per_cpu_s": "frames per CPU s",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "max_ms": "max ms",
    "dropped_events": "events dropped by the producer",
    "missing": "frames not delivered",
    "uncounted": "frames missing and not counted",
    "reordered": "out of order",
    "repeated": "twice",
    "disconnected": "closed",
    "shed": "shed",
    "balance": "ledger off by",
    "measured_cpu_percent": "measured CPU %",
    "server_cpu_percent": "server CPU %",
    "proxy_cpu_percent": "of which nginx %",
    "redis_cpu_percent": "Redis CPU %",
    "clients_cpu_percent": "load client CPU %",
    "producer_cpu_percent": "producer CPU %",
    "far_end_cpu_percent": "far end CPU %",
    "load_core_percent": "load's core in use %",
    "sender_cpu_percent": "sender CPU %",
    "receivers_cpu_percent": "receivers CPU %",
    "engine_cpu_percent": "engine CPU %",
    "others_cpu_percent": "other programs of the nodes CPU %",
    "strangers_cpu_percent": "strangers CPU %",
    "producer_us_an_event": "producer: CPU us an event",
    "redis_us_an_event": "Redis: CPU us an event",
    "server_us_an_event": "server: CPU us an event",
    "clients_us_an_event": "load client: CPU us an event",
    "all_us_an_event": "all four: CPU us an event",
    "grown_mib": "RSS grown MiB",
    "rss_kib_a_client": "RSS KiB a client",
    "pss_kib_a_client": "PSS KiB a client",
    "measured_rss_mib": "measured RSS MiB",
    "sender_rss_mib": "sender RSS MiB",
    "receiver_rss_mib": "a receiver RSS MiB",
    "engine_rss_mib": "engine, all its servers: RSS MiB",
    "rss_mib_before": "RSS MiB before",
    "rss_mib_left_after": "RSS MiB left after",
    "subscriptions_per_s": "subscriptions/s",
    "cpu_us_a_client": "CPU us a client",
}
BASES = ("daphne", "raw", "fresh-loops", "stock-like", "one-worker")
"""What the others of a table are compared with."""
COMPARED = frozenset({"awxfast", "hosted", "direct", "fan-out", "layer", "emit", "two-workers"})
# How many times better it is than the base: above 1 is better. The others are no matter of better and worse.
MORE_IS_BETTER = (
    "handshakes_per_s",
    "events_per_s",
    "events_per_cpu_s",
    "frames_per_s",
    "frames_per_cpu_s",
    "subscriptions_per_s",
    "requests_per_s",
    "messages_per_s",
)
LESS_IS_BETTER = (
    "sender_cpu_s_per_m",
    "cpu_s_per_m",
    "p50_ms",
    "p99_ms",
    "max_ms",
    "producer_us_an_event",
    "redis_us_an_event",
    "cpu_us_a_client",
    "cpu_us_a_request",
    "cpu_us_a_message",
    "rss_kib_a_client",
    "pss_kib_a_client",
)


def table(runs: Runs, absent: Mapping[str, str] | None = None) -> str:
    """Markdown of `runs`: minimum / median / maximum; below it, who is missing and why."""
    base = base_of(runs)
    compared = [server for server in runs if base and server in COMPARED]
    lines = [["", *runs, *(f"{server} better, times" for server in compared)]]
    for name, title in TITLES.items():
        cells = [spread(collect(name, server_runs)) for server_runs in runs.values()]
        if any(cells):
            lines.append([title, *cells, *(spread(better(name, runs, server)) for server in compared)])
    notes = [f"{server}: {reason.splitlines()[0]}" for server, reason in (absent or {}).items()]
    return "\n\n".join([markdown(lines)] * bool(runs) + notes)


def base_of(runs: Runs) -> str | None:
    """The server that the others are compared with, if it is among them."""
    return next((base for base in BASES if base in runs), None)


def collect(name: str, runs: Iterable[Figures]) -> list[float]:
    return [figures[name] for figures in runs if name in figures]


def better(name: str, runs: Runs, server: str = "awxfast") -> list[float]:
    """Ratios within a round: the machine's mood changes between rounds, not within one."""
    base = base_of(runs)
    if base is None:
        return []
    pairs = list(zip(collect(name, runs[base]), collect(name, runs.get(server, ())), strict=False))
    if name in MORE_IS_BETTER or (name == "made_per_s" and base == "fresh-loops"):
        return [ours / theirs for theirs, ours in pairs if theirs]
    if name in LESS_IS_BETTER:
        return [theirs / ours for theirs, ours in pairs if ours]
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
