"""Clients that speak and are answered: plain requests, and messages that an application sends back."""

import time

from machine.costs import Costs, percent_of_a_core
from machine.setting import Bench, Figures
from peers.servers import Redis, Server
from traffic.page_requests import fetch_pages
from traffic.processes import Clients
from traffic.seen import latencies

from workloads.kinds import Echoes, Requests

WARM_UP_SECONDS = 1.0


def measure_requests(bench: Bench, redis: Redis, server: Server, workload: Requests) -> Figures:
    """Warms up, then requests over and over."""
    fetch_pages(bench.load_core, server.address, workload.connections, WARM_UP_SECONDS)
    costs = Costs(server, redis)
    seen = fetch_pages(bench.load_core, server.address, workload.connections, workload.seconds)
    shares, work, wall = costs.shares(seen["cpu_s"], 0.0), costs.work(), time.monotonic() - costs.begin
    return {
        "requests_per_s": seen["requests"] / seen["seconds"],
        "cpu_us_a_request": 1e6 * shares["server"] / max(1.0, seen["requests"]),
        "p50_ms": seen["p50_ms"],
        "p99_ms": seen["p99_ms"],
        **percent_of_a_core(shares, wall),
        **work,
    }


def measure_echoes(bench: Bench, redis: Redis, server: Server, workload: Echoes) -> Figures:
    """Messages go, and come back."""
    options = {"path": "/", "size": workload.size, "under_way": workload.under_way, "seconds": workload.seconds}
    with Clients(bench.wsload, bench.load_core, "echo", server.address, workload.clients, **options) as clients:
        costs = Costs(server, redis)
        clients.tell("go")
        seen = clients.result()
        shares, work, wall = costs.shares(seen["cpu_s"], 0.0), costs.work(), time.monotonic() - costs.begin
    return {
        "messages_per_s": seen["frames"] / workload.seconds,
        "cpu_us_a_message": 1e6 * shares["server"] / max(1, seen["frames"]),
        **latencies(seen),
        **percent_of_a_core(shares, wall),
        **work,
    }
