"""Clients that hear nothing: their memory, and how fast they come."""

import time
from collections.abc import Mapping

from machine.costs import Costs
from machine.setting import Bench, Figures
from peers.servers import Redis, Server
from traffic.processes import Clients

from workloads.kinds import Idle, Storm

SETTLE_SECONDS = 1.0
LIMIT_SECONDS = 60
WARM_UP_CLIENTS = 50
KIBIBYTE = 1024
MORE_GROUPS = ("jobs-status_changed", "jobs-summary")


def measure_idle(bench: Bench, redis: Redis, server: Server, workload: Idle, **options: str) -> Figures:
    """Memory before and after; a few clients come and go first, so that what is loaded once is not counted."""
    with hold(bench, server, workload, WARM_UP_CLIENTS, options):
        pass
    time.sleep(SETTLE_SECONDS)
    before = server.usage()
    with hold(bench, server, workload, workload.clients, options) as clients:
        connected = server.usage()
        time.sleep(SETTLE_SECONDS)
        held = server.usage()
    time.sleep(SETTLE_SECONDS)
    left = server.usage()
    subscriptions = {} if server.client_options else {"subscriptions_per_s": clients.ready["subscriptions_per_s"]}
    return {
        "rss_kib_a_client": (held.rss - before.rss) / KIBIBYTE / workload.clients,
        "pss_kib_a_client": (held.pss - before.pss) / KIBIBYTE / workload.clients,
        "rss_mib_before": before.rss / KIBIBYTE**2,
        "rss_mib_left_after": (left.rss - before.rss) / KIBIBYTE**2,
        "handshakes_per_s": clients.ready["handshakes_per_s"],
        **subscriptions,
        "cpu_us_a_client": (connected.cpu_s - before.cpu_s) * 1e6 / workload.clients,
    }


def hold(bench: Bench, server: Server, workload: Idle, count: int, options: Mapping[str, object]) -> Clients:
    """Opens `count` clients that are subscribed."""
    groups = [name for job in range(workload.groups) for name in (f"job_events-{job}", *MORE_GROUPS)]
    return Clients(
        bench.wsload,
        bench.load_core,
        "idle",
        server.address,
        count,
        groups=",".join(groups),
        groups_each=len(MORE_GROUPS) + 1,
        **{"seconds": LIMIT_SECONDS, **server.client_options, **options},
    )


def measure_storm(bench: Bench, redis: Redis, server: Server, workload: Storm) -> Figures:
    """Handshakes, then one subscription each where there are any."""
    options = server.client_options if workload.subscribes else {"protocol": "bare", "path": "/"}
    with connect(bench, server, options, WARM_UP_CLIENTS, 1):
        pass
    costs = Costs(server, redis)
    with connect(bench, server, options, workload.clients, workload.connecting) as clients:
        cpu, work = server.usage().cpu_s - costs.server.cpu_s, costs.work()
    return {
        "handshakes_per_s": clients.ready["handshakes_per_s"],
        "cpu_us_a_client": cpu * 1e6 / workload.clients,
        **work,
    }


def connect(bench: Bench, server: Server, options: Mapping[str, str], count: int, connecting: int) -> Clients:
    """`count` clients, `connecting` of them under way at a time."""
    address, seconds = server.address, LIMIT_SECONDS
    return Clients(
        bench.wsload, bench.load_core, "idle", address, count, connecting=connecting, seconds=seconds, **options
    )
