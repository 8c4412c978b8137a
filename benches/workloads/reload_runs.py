"""One run of a reload's workload, from its start to its end."""

import contextlib
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from machine.accounting import machine_cpu_seconds
from machine.setting import Bench, Figures
from peers.nodes import NODE, AwxfastDialler
from peers.reloads import Reload, reload
from peers.servers import Awxfast, Direct, Program, Redis, Server
from traffic.newcomers import Newcomers
from traffic.processes import Clients, Producer
from traffic.silences import STEP_SECONDS, Span, calm_spans, silence_figures

from workloads.idle import hold
from workloads.kinds import Idle
from workloads.link_runs import await_members
from workloads.reloads import Reloaded

KIBIBYTE = 1024
SETTLE_SECONDS = 1.5
MARGIN_NS = 200_000_000
"""How long after its answer a reload may still be felt."""
LONGEST_RELOAD = 30.0
FLAT_OUT_DEPTH = 256
FEW = 100
"""So many idle clients to one that reads, and what that takes is no matter."""
DRAIN_SECONDS = 30


class Replaying(Direct):
    """An application whose consumers begin anew at a reload."""

    def mode(self, redis: Redis) -> list[str]:
        return ["--reload-consumers", "replay", *super().mode(redis)]


@dataclass(frozen=True)
class Parts:
    """What is reloaded, what browsers connect to, and the Redis that producers write to; they are there at first."""

    reloaded: Program
    server: Server
    redis: Redis


@contextlib.contextmanager
def start_parts(bench: Bench, workload: Reloaded) -> Iterator[Parts]:
    """Starts what a run needs, and ends it."""
    with contextlib.ExitStack() as started:
        redis = started.enter_context(Redis(bench.folder, bench.load_core))
        environment = {"RELAY_BENCH_REDIS": redis.url}
        if workload.server != "dialler":
            kind = Replaying if workload.server == "replay" else Awxfast
            server = started.enter_context(kind(redis, bench.server_core, bench.folder, environment))
            yield Parts(server, server, redis)
            return
        server = started.enter_context(Awxfast(redis, bench.server_core, bench.folder, NODE))
        folder = bench.folder / "other"
        folder.mkdir(exist_ok=True)
        other = started.enter_context(Redis(folder, bench.load_core))
        dialler = AwxfastDialler(other, "relay", [server.address], bench.server_core, folder)
        yield Parts(started.enter_context(dialler), server, other)


def measure_reloads(bench: Bench, workload: Reloaded) -> Figures:
    """Figures by name. Raises `RunFailed`."""
    strangers = machine_cpu_seconds(), time.monotonic()
    with start_parts(bench, workload) as parts, contextlib.ExitStack() as running:
        memory = Memory(parts.reloaded)
        if workload.idle:
            running.enter_context(memory.hold_idle(bench, parts.server, workload))
        clients = running.enter_context(connect(bench, parts.server, workload))
        for group in workload.groups:
            await_members(parts.redis, group)
        producers = [
            running.enter_context(start_producer(bench, parts, workload, n)) for n in range(workload.producers)
        ]
        run = follow(parts, workload, clients, producers, memory)
        busy = (machine_cpu_seconds() - strangers[0]) / (time.monotonic() - strangers[1])
        memory_figures = {} if workload.server == "dialler" else memory.figures(workload)  # the old one stays a while
        return {**run, **memory_figures, "machine_cpu_percent": 100 * busy}


def connect(bench: Bench, server: Server, workload: Reloaded) -> Clients:
    """The browsers that read."""
    return Clients(
        bench.wsload,
        bench.load_core,
        "read",
        server.address,
        workload.clients,
        groups=",".join(workload.groups),
        groups_each=1,
        series=STEP_SECONDS,
        drain=DRAIN_SECONDS,
        seconds=longest_run(workload) + 2 * DRAIN_SECONDS,
    )


def start_producer(bench: Bench, parts: Parts, workload: Reloaded, number: int) -> Producer:
    """A producer that waits for its start."""
    return Producer(
        bench.load_core,
        workload.way,
        redis=parts.redis.url,
        group=workload.groups[number],
        stream=number,
        rate=workload.rate / workload.producers,
        seconds=longest_run(workload),
        size=workload.size,
        depth=FLAT_OUT_DEPTH,
    )


def longest_run(workload: Reloaded) -> float:
    """Seconds after which all of it ends by itself."""
    return 2 * workload.calm_seconds + workload.reloads * (LONGEST_RELOAD + workload.pause_seconds)


def follow(
    parts: Parts, workload: Reloaded, clients: Clients, producers: Sequence[Producer], memory: "Memory"
) -> Figures:
    """Calm, reloads, and calm again; then what has come."""
    for producer in producers:
        producer.start()
    time.sleep(SETTLE_SECONDS)
    begin = time.time_ns()
    time.sleep(workload.calm_seconds)
    before = time.time_ns()
    reloads: list[Reload] = []
    with Newcomers(parts.server.address) as newcomers:
        for _ in range(workload.reloads):
            reloads.append(reload(parts.reloaded))
            time.sleep(workload.pause_seconds)
            memory.look()
    after = time.time_ns() + MARGIN_NS
    time.sleep(workload.calm_seconds)
    end = time.time_ns()
    for producer in producers:
        producer.stop()
    made = [producer.result()["made"] for producer in producers]
    expected = sum(made[client % workload.producers] for client in range(workload.clients))
    seen = clients.result(expected)
    length = int(1e9 * statistics.median(one.seconds for one in reloads)) + MARGIN_NS
    calm = [*calm_spans(begin, before, length), *calm_spans(after, end, length)] or [(begin, before)]
    spans: list[Span] = [(one.begin_ns, one.end_ns + MARGIN_NS) for one in reloads]
    return {
        "made_per_s": sum(made) / ((end - begin) / 1e9 + SETTLE_SECONDS),
        "reloads": len(reloads),
        "reload_s": statistics.median(one.seconds for one in reloads),
        "said_median_ms": statistics.median(one.said_ms for one in reloads),
        "said_max_ms": max(one.said_ms for one in reloads),
        **silence_figures(seen, spans, calm),
        **count_faults(seen, expected, newcomers, parts.server),
    }


def count_faults(seen: dict[str, Any], expected: int, newcomers: Newcomers, server: Server) -> Figures:
    """What must be 0, by the clients' account and by the server's; what is counted as lost is not."""
    ledger = server.counters() or {}
    balance, frames = ledger.get("balance", {}), ledger.get("frames", {})
    missing, counted = expected - seen["frames"], sum(gap["at_most"] for gap in ledger.get("gaps", {}).values())
    return {
        "frames": seen["frames"],
        "missing": missing,
        "counted_lost": counted,
        "uncounted": max(0, missing - counted),
        "gaps": seen["lost"],
        "reordered": seen["reordered"],
        "repeated": seen["repeated"],
        "disconnected": seen["gone"],
        "newcomers": newcomers.came,
        "refused": newcomers.refused,
        "newcomer_max_ms": 1000 * newcomers.longest_s,
        "shed": sum(frames.get("shed", {}).values()),
        "balance": abs(balance.get("events", 0)) + abs(balance.get("frames", 0)),
    }


class Memory:
    """What a server and its clients take: new ones, and the same after each reload."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._base = self._fresh = 0
        self._after: list[int] = []

    def hold_idle(self, bench: Bench, server: Server, workload: Reloaded) -> Clients:
        """Opens clients that hear nothing; before, a few come and go in a process that was reloaded, too."""
        idle = Idle(name=workload.name, title=workload.title, servers=(), clients=workload.idle)
        options = {"seconds": longest_run(workload) + DRAIN_SECONDS}
        for _ in range(2):
            reload(self._program)
            with hold(bench, server, idle, 50, options):
                pass
        time.sleep(SETTLE_SECONDS)
        self._base = self._program.usage().rss
        clients = hold(bench, server, idle, workload.idle, options)
        time.sleep(SETTLE_SECONDS)
        self._fresh = self._program.usage().rss
        return clients

    def look(self) -> None:
        """Notes what it takes after one more reload."""
        self._after.append(self._program.usage().rss)

    def figures(self, workload: Reloaded) -> Figures:
        """An idle client's, and all of it over the reloads."""
        mib = [rss / KIBIBYTE**2 for rss in self._after]
        grown = 100 * (max(mib[-5:]) / mib[0] - 1)
        figures = {"rss_mib_first": mib[0], "rss_mib_last": mib[-1], "rss_mib_most": max(mib), "grown_percent": grown}
        if workload.idle > FEW * workload.clients:  # else what the others take would be counted as theirs
            fresh = (self._fresh - self._base) / KIBIBYTE / workload.idle
            kept = [(rss - self._base) / KIBIBYTE / workload.idle for rss in self._after]
            figures |= {"fresh_kib": fresh, "kept_median_kib": statistics.median(kept), "kept_most_kib": max(kept)}
        return figures
