"""Producer to clients: what came, when, and what it cost each part."""

import time

from machine.costs import Costs, percent_of_a_core
from machine.setting import Bench, Figures
from peers.servers import Redis, Server
from traffic.processes import Clients, Producer
from traffic.seen import latencies, seconds_of

from workloads.kinds import Stream

SETTLE_SECONDS = 0.3
QUIET_SECONDS = 2
MARGIN_SECONDS = 40
KIBIBYTE = 1024


def measure_stream(bench: Bench, redis: Redis, server: Server, workload: Stream) -> Figures:
    """One producer at a rate or flat out."""
    figures = run_stream(bench, redis, server, workload)
    return {name: value for name, value in figures.items() if not name.endswith("_us_an_event")}


def run_stream(bench: Bench, redis: Redis, server: Server, workload: Stream) -> Figures:
    """The same, with what an event cost each part."""
    with connect(bench, server, workload) as clients, start_producer(bench, redis, server, workload) as producer:
        time.sleep(SETTLE_SECONDS)
        costs = Costs(server, redis)
        producer.start()
        made = producer.result()
        expected = workload.frames_of(made["made"])
        seen = clients.result(expected)
        shares, work = costs.shares(seen["cpu_s"], made["cpu_s"]), costs.work()
        wall = time.monotonic() - costs.begin
    return {
        "handshakes_per_s": clients.ready["handshakes_per_s"],
        "made_per_s": made["made"] / made["seconds"],
        **({"late_ms": made["late_ns"] / 1e6} if workload.rate else {}),
        **seen_figures(seen, expected, shares["server"]),
        **percent_of_a_core(shares, wall),
        **{f"{name}_us_an_event": 1e6 * cpu / max(1, made["made"]) for name, cpu in shares.items()},
        **work,
        "grown_mib": (server.usage().rss - costs.server.rss) / KIBIBYTE**2,
        **ledger_figures(server),
    }


def connect(bench: Bench, server: Server, workload: Stream) -> Clients:
    """Opens the clients that the workload asks for, subscribed."""
    return Clients(
        bench.wsload,
        bench.load_core,
        "read",
        server.address,
        workload.clients,
        groups=",".join(workload.groups),
        never_read=workload.never_read,
        warm_up=workload.warm_up,
        quiet=QUIET_SECONDS,
        drain=server.drain_seconds,
        seconds=workload.seconds + MARGIN_SECONDS,
        **server.client_options,
    )


def start_producer(bench: Bench, redis: Redis, server: Server, workload: Stream) -> Producer:
    """A producer that waits for its start; once the clients have subscribed, since it looks the members up."""
    way, target = server.producer(workload.producer, redis)
    return Producer(
        bench.load_core,
        way,
        **target,
        group=",".join(dict.fromkeys(workload.groups)),
        rate=workload.rate,
        seconds=workload.seconds,
        size=workload.size,
        depth=workload.depth,
        events=workload.events,
    )


def seen_figures(seen: dict[str, float], expected: int, server_cpu: float) -> Figures:
    """What the clients saw, and the server's CPU time against it."""
    frames, seconds = seen["frames"], seconds_of(seen)
    return {
        "frames": frames,
        "frames_per_s": frames / seconds if seconds else 0.0,
        "cpu_s_per_m": server_cpu / frames * 1e6 if frames else 0.0,
        "frames_per_cpu_s": frames / server_cpu if server_cpu else 0.0,
        **latencies(seen),
        "missing": expected - frames,
        "gaps": seen["lost"],
        "reordered": seen["reordered"],
        "repeated": seen["repeated"],
        "disconnected": seen["gone"],
    }


def ledger_figures(server: Server) -> Figures:
    """awxfast's own account, if it is one."""
    ledger = server.counters()
    if ledger is None:
        return {}
    frames, balance = ledger["frames"], ledger["balance"]
    return {
        "shed": sum(frames["shed"].values()),
        "events_in": ledger["events"]["in"],
        "balance": abs(balance["events"]) + abs(balance["frames"]),
    }
