"""The plots of docs/performance.md, each from the rows of a run."""

from collections.abc import Callable, Sequence

from papers.aims import Results
from papers.drawing import Values, bars, lines
from papers.tables import collect

RATES = (10, 50, 100, 1000)
CLIENTS = (1, 10, 100, 1000, 9000)
PARTS = {
    "producer": "producer_us_an_event",
    "Redis": "redis_us_an_event",
    "awxfast": "server_us_an_event",
    "10 clients": "clients_us_an_event",
}

COSTS = (
    ("daphne, flat out", "flat-out", "daphne"),
    ("flat out", "flat-out", "awxfast"),
    ("equal rate", "equal", "awxfast"),
)
"""Series of `cost_by_clients`: label, workload, server."""


def figures_of(results: Results, workload: str, server: str, name: str) -> list[float]:
    """Of all runs; nothing where there was none."""
    return collect(name, results.get(workload, {}).get(server, ()))


def peers(results: Results) -> str:
    """Frames per CPU second, flat out."""
    runs = results.get("flat-out-100", {})
    rows = [(server, collect("frames_per_cpu_s", found)) for server, found in runs.items()]
    return bar_chart(
        "Frames per CPU second: 100 clients, 1 KiB, flat out", "frames per CPU second of the server", rows, True
    )


def latency(results: Results) -> str:
    """p50 and p99 against the rate, daphne and awxfast."""
    series = {
        f"{server} {quantile}": [
            (float(rate), values)
            for rate in RATES
            if (values := figures_of(results, f"rate-{rate}", server, f"{quantile}_ms"))
        ]
        for server in ("daphne", "awxfast")
        for quantile in ("p50", "p99")
    }
    return line_chart("Latency to 100 clients, 1 KiB", "events a second", "ms", series)


def cost_by_clients(results: Results) -> str:
    """CPU a frame against the number of clients, flat out and at equal frames."""
    series = {
        label: [
            (float(clients), values)
            for clients in CLIENTS
            if (values := figures_of(results, f"{kind}-{clients}", server, "cpu_s_per_m"))
        ]
        for label, kind, server in COSTS
    }
    return line_chart("What a frame costs the server, 1 KiB", "clients", "CPU us", series)


def parts_of_an_event(results: Results) -> str:
    """Where an event's CPU time goes, at the highest rate without loss."""
    rows = [(part, figures_of(results, "search-100000", "awxfast", name)) for part, name in PARTS.items()]
    return bar_chart("An event of 4 KiB to 10 clients, at the highest rate without loss", "CPU us an event", rows)


def raw_limit(results: Results) -> str:
    """The fan-out alone beside a program that only sends."""
    rows = [
        (f"{workload.removeprefix('alone-').replace('-', ' clients, ')}, {way}", collect("frames_per_s", found))
        for workload, runs in results.items()
        if workload.startswith("alone-")
        for way, found in runs.items()
    ]
    return bar_chart("Frames a second on one core: only sending, and the fan-out alone", "frames a second", rows)


def bar_chart(title: str, unit: str, rows: Sequence[tuple[str, Values]], logarithmic: bool = False) -> str:
    """Empty without a row that has figures."""
    found = [(label, values) for label, values in rows if values]
    return bars(title, unit, found, logarithmic) if found else ""


def line_chart(title: str, across: str, up: str, series: dict[str, list[tuple[float, list[float]]]]) -> str:
    """Empty without a series that has figures."""
    found = {name: points for name, points in series.items() if points}
    return lines(title, across, up, found) if found else ""


PLOTS: dict[str, Callable[[Results], str]] = {
    "peers": peers,
    "latency": latency,
    "clients": cost_by_clients,
    "parts": parts_of_an_event,
    "raw-limit": raw_limit,
}
