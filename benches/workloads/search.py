"""The highest rate without loss, and what an event costs each part there."""

from dataclasses import replace

from machine.setting import Bench, Figures
from peers.servers import Redis, Server

from workloads.kinds import Search, Stream
from workloads.stream import run_stream

ATTEMPTS = 6
STEP = 0.92
MADE_SHARE = 0.99
"""Of the asked rate: what the producer must really have made."""
WORST_P99_MS = 200.0
"""Above it, events pile up."""
PARTS = ("producer", "redis", "server", "clients")


def measure_search(bench: Bench, redis: Redis, server: Server, workload: Search) -> Figures:
    """Flat out first, then at fixed rates from there down, until one is carried."""
    stream = Stream(
        name=workload.name,
        title=workload.title,
        clients=workload.clients,
        size=workload.size,
        seconds=workload.seconds,
    )
    flat_out = run_stream(bench, redis, server, stream)
    delivered = flat_out["frames_per_s"] / workload.clients
    rate = min(workload.rate, delivered)
    for _ in range(ATTEMPTS):
        redis.ask("DEL", *redis.ask("--scan", "--pattern", "asgi:*!").split())
        before = server.counters()
        figures = run_stream(bench, redis, server, replace(stream, rate=rate))
        if is_carried(figures, rate, shed_before(before)):
            return {"flat_out_per_s": delivered, **found(figures)}
        rate *= STEP
    return {"flat_out_per_s": delivered}


def shed_before(counters: dict[str, dict[str, dict[str, float]]] | None) -> float:
    """What the server had given up before an attempt; its counters go on."""
    return sum(counters["frames"]["shed"].values()) if counters else 0.0


def is_carried(figures: Figures, rate: float, shed: float) -> bool:
    """All made, all delivered, nothing piled up."""
    complete = figures["missing"] == 0 and figures.get("shed", shed) == shed
    return complete and figures["made_per_s"] >= MADE_SHARE * rate and figures.get("p99_ms", 0.0) <= WORST_P99_MS


def found(figures: Figures) -> Figures:
    """The rate, and the sum of what each part costs."""
    costs = {f"{part}_us_an_event": figures[f"{part}_us_an_event"] for part in PARTS}
    shares = {name: value for name, value in figures.items() if name.endswith("_percent")}
    return {
        "lossless_per_s": figures["made_per_s"],
        "missing": figures["missing"],
        **costs,
        "all_us_an_event": sum(costs.values()),
        "p50_ms": figures["p50_ms"],
        "p99_ms": figures["p99_ms"],
        **shares,
    }
