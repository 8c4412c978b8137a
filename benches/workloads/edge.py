"""Past the edge: what is left of a server's best rate at twice that rate, and how soon it is itself again."""

import time
from typing import Any

from machine.accounting import usage_of
from machine.costs import Costs, percent_of_a_core
from machine.setting import Bench, Figures
from peers.servers import Redis, Server
from traffic.event_texts import NANOSECONDS
from traffic.processes import Clients, Producer

from workloads.kinds import GROUP, Edge
from workloads.stream import MARGIN_SECONDS, ledger_figures

STEP_SECONDS = 0.1
SETTLE_SECONDS = 0.5
OVERLOAD = 2.0
AFTERWARDS = 0.5
BACK_MS = 50.0
"""It is back when no event takes longer than this any more."""


def measure_edge(bench: Bench, redis: Redis, server: Server, workload: Edge) -> Figures:
    """Flat out, then at once overload and half the best rate, to the same clients."""
    with connect(bench, server, workload) as clients:
        time.sleep(SETTLE_SECONDS)
        with start(bench, redis, workload, 0, 0.0) as flat_out:
            best, best_shares = follow(flat_out, clients, server, redis)
        time.sleep(SETTLE_SECONDS)
        rate = best["made"] / best["seconds"]
        with (
            start(bench, redis, workload, 1, OVERLOAD * rate) as overload,
            start(bench, redis, workload, 2, AFTERWARDS * rate) as afterwards,
        ):
            during, shares = follow(overload, clients, server, redis)
            afterwards.start()
            after = afterwards.result()
        parts = (best, during, after)
        taken = sum(part["made"] - part["dropped"] for part in parts)
        seen = clients.result(taken * workload.clients)
        ledger = ledger_figures(server)
    # What is flat out at first fills queues only.
    at_best = delivered_per_s(seen, best["begin_ns"] + (best["end_ns"] - best["begin_ns"]) // 4, best["end_ns"])
    delivered = delivered_per_s(seen, during["begin_ns"], during["end_ns"])
    return {
        "best_frames_per_s": at_best,
        "offered_frames_per_s": (during["made"] / during["seconds"]) * workload.clients,
        "frames_per_s": delivered,
        "share_percent": 100 * delivered / at_best if at_best else 0.0,
        "best_cpu_s_per_m": cpu_s_per_m(best_shares, at_best),
        "cpu_s_per_m": cpu_s_per_m(shares, delivered),
        "best_load_core_percent": best_shares["load_core_percent"],
        **shares,
        "back_s": seconds_until_back(seen, during["end_ns"]),
        "dropped_events": sum(part["dropped"] for part in parts),
        "missing": taken * workload.clients - seen["frames"],
        **ledger,
        "uncounted": taken * workload.clients - seen["frames"] - ledger.get("shed", 0),
        "reordered": seen["reordered"],
        "repeated": seen["repeated"],
    }


def connect(bench: Bench, server: Server, workload: Edge) -> Clients:
    """The clients, subscribed; they keep a row of figures for each step of time."""
    seconds = 3 * workload.seconds + MARGIN_SECONDS
    return Clients(
        bench.wsload,
        bench.load_core,
        "read",
        server.address,
        workload.clients,
        groups=GROUP,
        series=STEP_SECONDS,
        drain=20,
        seconds=seconds,
    )


def follow(producer: Producer, clients: Clients, server: Server, redis: Redis) -> tuple[dict[str, Any], Figures]:
    """One part, from its start to its end: what was made, and what share of a core each side took."""
    costs, before = Costs(server, redis), usage_of(clients.process.pid).cpu_s
    producer.start()
    made = producer.result()
    spent = costs.shares(usage_of(clients.process.pid).cpu_s - before, made["cpu_s"])
    del spent["strangers"]
    return made, percent_of_a_core(spent, time.monotonic() - costs.begin)


def cpu_s_per_m(shares: Figures, frames_per_s: float) -> float:
    """The server's CPU seconds for a million frames."""
    return shares["server_cpu_percent"] / 100 / frames_per_s * 1e6 if frames_per_s else 0.0


def start(bench: Bench, redis: Redis, workload: Edge, stream: int, rate: float) -> Producer:
    """A producer that waits for its start; flat out without a rate."""
    return Producer(
        bench.load_core,
        "pipeline",
        redis=redis.url,
        group=GROUP,
        stream=stream,
        rate=rate,
        seconds=workload.seconds,
        patience=0,
        size=workload.size,
        depth=256,
        capacity=workload.capacity,
    )


def delivered_per_s(seen: dict[str, Any], begin_ns: int, end_ns: int) -> float:
    """Frames a second read between two moments (Unix time), by whole steps."""
    step = int(STEP_SECONDS * NANOSECONDS)
    first = -(-(begin_ns - seen["series_begin_ns"]) // step)
    last = (end_ns - seen["series_begin_ns"]) // step
    steps: list[int] = seen["series_frames"][max(0, first) : max(0, last)]
    return float(sum(steps) / (max(1, last - first) * STEP_SECONDS))


def seconds_until_back(seen: dict[str, Any], end_ns: int) -> float:
    """From a moment to the end of the last step in which an event was late."""
    step = int(STEP_SECONDS * NANOSECONDS)
    late = [index for index, worst in enumerate(seen["series_worst_us"]) if worst > BACK_MS * 1000]
    if not late:
        return 0.0
    back_ns: int = seen["series_begin_ns"] + (late[-1] + 1) * step
    return max(0.0, (back_ns - end_ns) / NANOSECONDS)
