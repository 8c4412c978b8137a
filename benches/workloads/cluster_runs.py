"""One run of a whole cluster: the first node's producers, its dialler, what carries events, the others' browsers."""

import contextlib
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from machine.accounting import Usage, machine_cpu_seconds
from machine.setting import Bench, Figures
from peers.engines import Engine
from peers.nodes import AwxfastDialler, AwxfastNode
from peers.servers import Program, Redis
from traffic.processes import Clients, Producer
from traffic.seen import latencies, seconds_of

from workloads.clusters import MESH, Cluster
from workloads.link_runs import GROUP, MARGIN_SECONDS, MEBIBYTE, await_members, open_browser, start_producer

SETTLE_SECONDS = 2.0
"""Until each sender knows what each browser wants, and starts are over."""


@dataclass(frozen=True)
class Node:
    """What one machine of a cluster has."""

    redis: Redis
    server: AwxfastNode
    dialler: AwxfastDialler


@dataclass(frozen=True)
class Parts:
    """Usage by part at one moment; `receivers` without the first node, whose server gets nothing from elsewhere."""

    sender: Usage
    redis: Usage
    """The first node's, which its producer fills."""
    receivers: tuple[Usage, ...]
    engine: tuple[Usage, ...]
    others: tuple[Usage, ...]
    machine: float
    at: float

    @classmethod
    def now(cls, nodes: Sequence[Node], engine: Engine) -> "Parts":
        first, *rest = nodes
        others: list[Program] = [first.server, *(node.dialler for node in rest), *(node.redis for node in rest)]
        return cls(
            first.dialler.usage(),
            first.redis.usage(),
            tuple(node.server.usage() for node in rest),
            tuple(engine.usages()),
            tuple(program.usage() for program in others),
            machine_cpu_seconds(),
            time.monotonic(),
        )

    def cpu(self) -> dict[str, float]:
        """CPU seconds by part."""
        groups = {"receivers": self.receivers, "engine": self.engine, "others": self.others}
        spent = {name: sum(usage.cpu_s for usage in usages) for name, usages in groups.items()}
        return {"sender": self.sender.cpu_s, "redis": self.redis.cpu_s, **spent}


def measure_cluster(bench: Bench, kind: str, load: Cluster) -> Figures:
    """All parts share all cores: what one of them waits for is another's work, as it would not be on machines apart."""
    cores = f"0-{(os.cpu_count() or 1) - 1}"
    bench = replace(bench, server_core=cores, load_core=cores)
    with contextlib.ExitStack() as stack:
        engine = stack.enter_context(Engine(kind, bench.load_core))
        nodes = stack.enter_context(run_nodes(bench, engine, kind, load.nodes))
        options = {"seconds": load.seconds + MARGIN_SECONDS, "warm_up": load.warm_up if load.rate else 0}
        browsers = [stack.enter_context(open_browser(bench, node.server.address, **options)) for node in nodes[1:]]
        await_members(nodes[0].redis, GROUP)
        more = {"events": load.events} if load.events else {}
        producer = stack.enter_context(start_producer(bench, nodes[0].redis, GROUP, load, **more))
        return follow(nodes, engine, producer, browsers)


@contextlib.contextmanager
def run_nodes(bench: Bench, engine: Engine, kind: str, count: int) -> Iterator[list[Node]]:
    """All servers first: diallers of a mesh begin with their addresses."""
    with contextlib.ExitStack() as stack:
        folders = [make_folder(bench.folder, number) for number in range(count)]
        redises = [stack.enter_context(Redis(folder, bench.load_core)) for folder in folders]
        servers = [
            stack.enter_context(AwxfastNode(redis, "relay", bench.server_core, folder, engine.options))
            for redis, folder in zip(redises, folders, strict=True)
        ]
        diallers = []
        for redis, server, folder in zip(redises, servers, folders, strict=True):
            peers = [other.address for other in servers if other is not server] if kind == MESH else []
            dialler = AwxfastDialler(redis, "relay", peers, bench.server_core, folder, engine.options)
            diallers.append(stack.enter_context(dialler))
        for redis in redises:
            await_members(redis, "metrics")  # which is relayed unasked: the dialler is there
        yield [Node(*parts) for parts in zip(redises, servers, diallers, strict=True)]


def make_folder(parent: Path, number: int) -> Path:
    folder = parent / f"node-{number}"
    folder.mkdir(exist_ok=True)
    return folder


def follow(nodes: Sequence[Node], engine: Engine, producer: Producer, browsers: Sequence[Clients]) -> Figures:
    """From the first event to the last browser's last frame."""
    time.sleep(SETTLE_SECONDS)
    before = Parts.now(nodes, engine)
    producer.start()
    made = producer.result()
    seen = [browser.result(made["made"]) for browser in browsers]
    after = Parts.now(nodes, engine)
    return figures_of(before, after, made, seen)


def figures_of(before: Parts, after: Parts, made: dict[str, Any], seen: Sequence[dict[str, Any]]) -> Figures:
    """An event counts once, however many nodes it goes to; of the browsers the slowest counts."""
    spent = {name: cpu - before.cpu()[name] for name, cpu in after.cpu().items()}
    loads = sum(one["cpu_s"] for one in seen) + made["cpu_s"]
    wall, events = after.at - before.at, made["made"]
    strangers = max(0.0, after.machine - before.machine - sum(spent.values()) - loads)
    frames = sum(one["frames"] for one in seen)
    return {
        "made_per_s": events / made["seconds"],
        "events_per_s": min(one["frames"] / seconds_of(one) if one["frames"] > 1 else 0.0 for one in seen),
        "sender_us_an_event": 1e6 * spent["sender"] / events,
        "redis_us_an_event": 1e6 * spent["redis"] / events,
        "receiver_us_an_event": 1e6 * spent["receivers"] / frames if frames else 0.0,
        "onward_us_an_event": 1e6 * spent["others"] / frames if frames else 0.0,
        **({"engine_us_an_event": 1e6 * spent["engine"] / events} if after.engine else {}),
        "missing": events * len(seen) - frames,
        **worst_latencies(seen),
        **{f"{name}_cpu_percent": 100 * cpu / wall for name, cpu in spent.items()},
        "strangers_cpu_percent": 100 * strangers / wall,
        **memory_of(after),
    }


def worst_latencies(seen: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The node in the middle for p50, the worst for the others."""
    found = [latencies(one) for one in seen]
    if not all(found):
        return {}
    return {
        name: (statistics.median if name == "p50_ms" else max)(one[name] for one in found)
        for name in ("p50_ms", "p99_ms", "max_ms")
    }


def memory_of(parts: Parts) -> Figures:
    """At the end of a run."""
    usages = {"sender": (parts.sender,), "engine": parts.engine}
    whole = {f"{name}_rss_mib": sum(one.rss for one in some) / MEBIBYTE for name, some in usages.items() if some}
    return whole | {"receiver_rss_mib": max(one.rss for one in parts.receivers) / MEBIBYTE}
