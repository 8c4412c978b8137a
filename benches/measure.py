"""One run of one workload against one server, from its start to its end."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from accounting import machine_cpu_seconds
from load import Clients, Producer
from servers import SERVERS, Redis, Server
from workloads import Idle, Stream, Workload

Figures = dict[str, float]

GROUP = "job_events-1"
SETTLE_SECONDS = 0.5
IDLE_SETTLE_SECONDS = 1.5
MARGIN_SECONDS = 30
WARM_UP_CLIENTS = 50
KIBIBYTE = 1024


@dataclass(frozen=True)
class Bench:
    """Where the parts of a run live."""

    wsload: Path
    folder: Path
    server_core: int
    load_core: int


def measure(bench: Bench, redis: Redis, server_name: str, workload: Workload) -> Figures:
    """Figures by name; a fresh server on an empty Redis."""
    redis.ask("FLUSHALL")
    environment = {"RELAY_BENCH_REDIS": redis.url}
    signed_in = isinstance(workload, Idle) and workload.signed_in
    cookie = sign_in(bench, environment) if signed_in else {}
    with SERVERS[server_name](redis, bench.server_core, bench.folder, environment) as server:
        if isinstance(workload, Idle):
            return measure_idle(bench, server, workload, cookie)
        return measure_stream(bench, redis, server, workload)


def sign_in(bench: Bench, environment: dict[str, str]) -> dict[str, str]:
    """Gives the application a new database; returns the clients' option."""
    database = bench.folder / "site.sqlite3"
    database.unlink(missing_ok=True)
    environment["RELAY_BENCH_DATABASE"] = str(database)
    command = [sys.executable, str(Path(__file__).with_name("sign_in.py"))]
    printed = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True).stdout
    return {"cookie": f"sessionid={printed.strip()}"}


def measure_stream(bench: Bench, redis: Redis, server: Server, workload: Stream) -> Figures:
    """Producer to clients."""
    with connect(bench, server, workload) as clients, start_producer(bench, redis, workload) as producer:
        time.sleep(SETTLE_SECONDS)
        server_before, redis_before, begin = server.usage(), redis.usage(), time.monotonic()
        machine_before = machine_cpu_seconds()
        producer.start()
        made = producer.result()
        seen = clients.result(made["made"] * workload.clients)
        wall = time.monotonic() - begin
        machine_cpu = machine_cpu_seconds() - machine_before
        server_after, redis_cpu = server.usage(), redis.usage().cpu_s - redis_before.cpu_s
    server_cpu = server_after.cpu_s - server_before.cpu_s
    shares = {"server": server_cpu, "redis": redis_cpu, "clients": seen["cpu_s"], "producer": made["cpu_s"]}
    shares["strangers"] = max(0.0, machine_cpu - sum(shares.values()))
    return {
        "handshakes_per_s": clients.ready["handshakes_per_s"],
        "made_per_s": made["made"] / made["seconds"],
        **seen_figures(seen, made["made"] * workload.clients, server_cpu),
        **{f"{name}_cpu_percent": 100 * cpu / wall for name, cpu in shares.items()},
        "grown_mib": (server_after.rss - server_before.rss) / KIBIBYTE**2,
        **ledger_figures(server),
    }


def connect(bench: Bench, server: Server, workload: Stream) -> Clients:
    return Clients(
        bench.wsload,
        bench.load_core,
        "read",
        server.address,
        workload.clients,
        groups=GROUP,
        never_read=workload.never_read,
        warm_up=workload.warm_up,
        seconds=workload.seconds + MARGIN_SECONDS,
    )


def start_producer(bench: Bench, redis: Redis, workload: Stream) -> Producer:
    return Producer(
        bench.load_core,
        workload.producer,
        redis=redis.url,
        group=GROUP,
        rate=workload.rate,
        seconds=workload.seconds,
        size=workload.size,
        depth=workload.depth,
    )


def seen_figures(seen: dict[str, float], expected: int, server_cpu: float) -> Figures:
    """What the clients saw, and the server's CPU time against it."""
    frames = seen["frames"]
    seconds = (seen["last_frame_ns"] - seen["first_frame_ns"]) / 1e9
    latency = {name: seen[f"{name}_us"] / 1000 for name in ("p50", "p99", "max") if seen["timed"]}
    return {
        "frames": frames,
        "frames_per_s": frames / seconds if seconds else 0.0,
        "cpu_s_per_m": server_cpu / frames * 1e6 if frames else 0.0,
        "frames_per_cpu_s": frames / server_cpu if server_cpu else 0.0,
        **{f"{name}_ms": milliseconds for name, milliseconds in latency.items()},
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


def measure_idle(bench: Bench, server: Server, workload: Idle, cookie: dict[str, str]) -> Figures:
    """Memory before and after; a few clients come and go first, so that what is loaded once is not counted."""
    with hold(bench, server, workload, WARM_UP_CLIENTS, cookie):
        pass
    time.sleep(IDLE_SETTLE_SECONDS)
    before = server.usage()
    with hold(bench, server, workload, workload.clients, cookie) as clients:
        connected = server.usage()
        time.sleep(IDLE_SETTLE_SECONDS)
        held = server.usage()
    time.sleep(IDLE_SETTLE_SECONDS)
    left = server.usage()
    return {
        "rss_kib_a_client": (held.rss - before.rss) / KIBIBYTE / workload.clients,
        "pss_kib_a_client": (held.pss - before.pss) / KIBIBYTE / workload.clients,
        "rss_mib_before": before.rss / KIBIBYTE**2,
        "rss_mib_left_after": (left.rss - before.rss) / KIBIBYTE**2,
        "handshakes_per_s": clients.ready["handshakes_per_s"],
        "subscriptions_per_s": clients.ready["subscriptions_per_s"],
        "cpu_us_a_client": (connected.cpu_s - before.cpu_s) * 1e6 / workload.clients,
    }


def hold(bench: Bench, server: Server, workload: Idle, count: int, cookie: dict[str, str]) -> Clients:
    statuses = ["jobs-status_changed", "jobs-summary"]
    groups = [name for job in range(workload.groups) for name in (f"job_events-{job}", *statuses)]
    return Clients(
        bench.wsload,
        bench.load_core,
        "idle",
        server.address,
        count,
        groups=",".join(groups),
        groups_each=len(statuses) + 1,
        **cookie,
        seconds=MARGIN_SECONDS,
    )
