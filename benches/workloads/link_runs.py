"""One run of one of the backplane's workloads, from its start to its end."""

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from typing import Any, Protocol

from machine.costs import Costs
from machine.setting import Bench, Figures
from peers.nodes import DIALLERS, NODES, SECRET, peer_addresses
from peers.servers import LOOPBACK, Program, Redis, RunFailed
from traffic.processes import Clients, Producer, Worker, words_of
from traffic.seen import latencies, seconds_of

from workloads.links import EVENT, LinkLoad, NodeToNode, Workload

GROUP = "job_events-1"
COPIES_GROUP = "broadcast-group_send"
"""Where servers of the broadcast era find what they send."""
NAMES = {"server": "measured", "clients": "far_end"}
"""Of the parts, where what is measured may be a dialler and what reads no client."""
SETTLE_SECONDS = 0.5
JOIN_SECONDS = 60.0
MARGIN_SECONDS = 40
MEBIBYTE = 1_048_576


class Paced(Protocol):
    """What a producer is asked for; `rate` in events a second, 0: flat out."""

    @property
    def rate(self) -> float: ...
    @property
    def seconds(self) -> float: ...


class Part(Worker):
    """One of the benchmark's own programs: sinks, sources, takers."""

    def __init__(self, bench: Bench, name: str, *words: str, **options: object) -> None:
        super().__init__([sys.executable, "-m", f"traffic.{name}", *words, *words_of(options)], bench.load_core)

    def await_ready(self) -> None:
        self.line()

    def start(self) -> None:
        """Lets a source begin to send."""
        self.tell("go")

    def result(self, expected: int = 0) -> dict[str, Any]:
        """Its account; sinks and takers give it once so many frames have come, or no more come."""
        if expected:
            self.tell(f"expect {expected}")
        account: dict[str, Any] = json.loads(self.line())
        return account


def measure(bench: Bench, kind: str, workload: Workload) -> Figures:
    """Figures by name; every run has fresh processes."""
    if isinstance(workload, NodeToNode):
        return measure_latency(bench, kind, workload)
    run = RUNS[workload.part, workload.way]
    with Redis(bench.folder, bench.load_core) as redis:
        return run(bench, redis, kind, workload)


def measure_dialler_out(bench: Bench, redis: Redis, kind: str, load: LinkLoad) -> Figures:
    """Producer, Redis, the dialler, sinks."""
    with Part(bench, "node_sink", "serve", era=load.era, links=load.links, group=GROUP) as sink:
        peers = peer_addresses(sink.line().strip(), load.links)
        with DIALLERS[kind](redis, load.era, peers, bench.server_core, bench.folder) as dialler:
            sink.await_ready()
            await_members(redis, GROUP)
            with start_producer(bench, redis, GROUP, load) as producer:
                return follow(dialler, redis, producer, sink, load.links)


def measure_dialler_in(bench: Bench, redis: Redis, kind: str, load: LinkLoad) -> Figures:
    """A source, the dialler, its Redis, where somebody takes what comes."""
    with Part(bench, "redis_taker", redis=redis.url, group=GROUP) as taker:
        taker.await_ready()
        with start_source(bench, "serve", load) as source:
            peers = peer_addresses(source.line().strip(), 1)
            with DIALLERS[kind](redis, load.era, peers, bench.server_core, bench.folder) as dialler:
                source.await_ready()
                return follow(dialler, redis, source, taker, 1)


def measure_node_out(bench: Bench, redis: Redis, kind: str, load: LinkLoad) -> Figures:
    """Producer, Redis, the server, sinks that dialled it."""
    with NODES[kind](redis, load.era, bench.server_core, bench.folder) as node:
        way = {"era": load.era, "links": load.links, "address": node.address, "secret": SECRET}
        with Part(bench, "node_sink", "dial", **way) as sink:
            sink.await_ready()
            await_members(redis, COPIES_GROUP)
            with start_producer(bench, redis, COPIES_GROUP, load) as producer:
                return follow(node, redis, producer, sink, load.links)


def measure_node_in(bench: Bench, redis: Redis, kind: str, load: LinkLoad) -> Figures:
    """A source that dials, the server, a browser there."""
    with NODES[kind](redis, load.era, bench.server_core, bench.folder) as node:
        seconds = load.seconds + MARGIN_SECONDS
        with (
            open_browser(bench, node.address, seconds=seconds) as browser,
            start_source(bench, "dial", load, address=node.address, secret=SECRET) as source,
        ):
            source.await_ready()
            return follow(node, redis, source, browser, 1)


def measure_latency(bench: Bench, kind: str, load: NodeToNode) -> Figures:
    """Two nodes: the first one's Redis and dialler, the second one's server and browser."""
    with two_nodes(bench, kind) as (here, dialler, node):
        options = {"seconds": load.seconds + MARGIN_SECONDS, "warm_up": load.warm_up}
        with open_browser(bench, node.address, **options) as browser:
            await_members(here, GROUP)
            with start_producer(bench, here, GROUP, load) as producer:
                return follow(dialler, here, producer, browser, 1)


def measure_kernel(bench: Bench, links: int, seconds: float) -> Figures:
    """What sending to so many links costs when nothing has to be found out or made. An event is a frame a link."""
    options = {"links": links, "size": EVENT, "seconds": seconds}
    with Part(bench, "node_sink", "serve", era="broadcast", links=links) as sink:
        address = f"{LOOPBACK}:{sink.line().strip()}"
        command = [sys.executable, "-m", "traffic.node_raw", address, *words_of(options)]
        with Worker(command, bench.server_core) as raw:
            account: Figures = json.loads(raw.line())
    return {"cpu_us_an_event": account["cpu_us_an_event"]}


@contextlib.contextmanager
def two_nodes(bench: Bench, kind: str) -> Iterator[tuple[Redis, Program, Any]]:
    """The first one's Redis and dialler, the other's server."""
    folders = [bench.folder / name for name in ("here", "there")]
    for folder in folders:
        folder.mkdir(exist_ok=True)
    with (
        Redis(folders[0], bench.load_core) as here,
        Redis(folders[1], bench.load_core) as there,
        NODES[kind](there, "relay", bench.server_core, folders[1]) as node,
        DIALLERS[kind](here, "relay", [node.address], bench.server_core, folders[0]) as dialler,
    ):
        await_members(here, "metrics")  # which is relayed unasked: the link is up
        yield here, dialler, node


def open_browser(bench: Bench, address: str, **options: object) -> Clients:
    return Clients(bench.wsload, bench.load_core, "read", address, 1, groups=GROUP, **options)


def start_producer(bench: Bench, redis: Redis, group: str, load: Paced, **more: object) -> Producer:
    options = {"group": group, "rate": load.rate, "seconds": load.seconds, "size": EVENT, "depth": 512, **more}
    return Producer(bench.load_core, "pipeline", redis=redis.url, **options)


def start_source(bench: Bench, way: str, load: LinkLoad, **options: object) -> Part:
    options |= {"group": GROUP, "rate": load.rate, "seconds": load.seconds, "size": EVENT}
    return Part(bench, "node_source", way, **options)


def await_members(redis: Redis, group: str) -> None:
    """Until somebody is in the group, so that what is sent there goes somewhere."""
    deadline = time.monotonic() + JOIN_SECONDS
    while redis.ask("ZCARD", f"asgi:group:{group}") == "0":
        if time.monotonic() > deadline:
            raise RunFailed(f"nobody has joined {group} after {JOIN_SECONDS:g} s")
        time.sleep(0.05)


def follow(measured: Program, redis: Redis, maker: Producer | Part, taker: Part | Clients, links: int) -> Figures:
    """From the first event to the last frame. CPU time is that of `measured` alone."""
    time.sleep(SETTLE_SECONDS)
    costs = Costs(measured, redis)
    maker.start()
    made = maker.result()
    seen = taker.result(made["made"] * links)
    shares = costs.shares(seen["cpu_s"], made["cpu_s"])
    wall = time.monotonic() - costs.begin
    figures = {f"{NAMES.get(name, name)}_cpu_percent": 100 * cpu / wall for name, cpu in shares.items()}
    memory = {"measured_rss_mib": measured.usage().rss / MEBIBYTE}
    return figures | memory | seen_figures(seen, made, links, shares["server"])


def seen_figures(seen: dict[str, Any], made: dict[str, Any], links: int, cpu: float) -> Figures:
    """An event counts once, however many links it went over."""
    events, seconds = seen["frames"] / links, seconds_of(seen)
    return {
        "made_per_s": made["made"] / made["seconds"],
        "events_per_s": events / seconds if seconds else 0.0,
        "events_per_cpu_s": events / cpu,
        "cpu_us_an_event": 1e6 * cpu / events if events else 0.0,
        "missing": made["made"] * links - seen["frames"],
        **latencies(seen),
    }


RUNS = {
    ("dialler", "out"): measure_dialler_out,
    ("dialler", "in"): measure_dialler_in,
    ("node", "out"): measure_node_out,
    ("node", "in"): measure_node_in,
}
