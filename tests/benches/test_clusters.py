"""Whole clusters in the benchmark: workloads, what their figures mean, and the aims."""

from pathlib import Path

import backplane
import pytest
from machine.accounting import Usage
from machine.setting import Bench
from papers.link_aims import LINK_AIMS, link_aims_table
from peers.servers import RunFailed
from workloads.cluster_runs import Parts, figures_of
from workloads.clusters import CARRIERS, CLUSTERS
from workloads.links import WORKLOADS


def usage(cpu_s: float, mebibytes: int = 0) -> Usage:
    return Usage(cpu_s, mebibytes * 1_048_576, 0)


def parts(at: float, sender: float, receivers: tuple[float, ...], engine: tuple[float, ...], machine: float) -> Parts:
    return Parts(
        usage(sender, 70),
        usage(sender / 2),
        tuple(usage(cpu, 60) for cpu in receivers),
        tuple(map(usage, engine)),
        (),
        machine,
        at,
    )


def seen_by_a_browser(frames: int, seconds: float, **latencies: int) -> dict[str, object]:
    times = {"first_frame_ns": 0, "last_frame_ns": int(seconds * 1e9), "cpu_s": 0.25}
    return {"frames": frames, **times, **({"timed": frames, **latencies} if latencies else {})}


MADE = {"made": 1000, "seconds": 2.0, "cpu_s": 0.5}
FIGURES = figures_of(
    parts(10, 1.0, (2.0, 2.0), (1.0, 1.0, 1.0), 100),
    parts(12, 1.1, (2.2, 2.4), (1.1, 1.2, 1.0), 104),
    MADE,
    [
        seen_by_a_browser(1000, 2.0, p50_us=800, p99_us=2000, max_us=9000),
        seen_by_a_browser(900, 2.25, p50_us=1200, p99_us=4000, max_us=5000),
    ],
)


class TestFigures:
    def test_sender_and_engine_are_charged_for_an_event_once(self) -> None:
        assert FIGURES["sender_us_an_event"] == pytest.approx(100)
        assert FIGURES["redis_us_an_event"] == pytest.approx(50)
        assert FIGURES["engine_us_an_event"] == pytest.approx(300)

    def test_receiver_is_charged_for_what_came_to_it(self) -> None:
        assert FIGURES["receiver_us_an_event"] == pytest.approx(0.6e6 / 1900)

    def test_slowest_browser_says_how_many_events_there_were(self) -> None:
        assert FIGURES["events_per_s"] == 400
        assert FIGURES["missing"] == 100

    def test_latency_is_that_of_the_worst_node(self) -> None:
        assert (FIGURES["p50_ms"], FIGURES["p99_ms"], FIGURES["max_ms"]) == (1, 4, 9)

    def test_strangers_are_what_nobody_here_has_used(self) -> None:
        assert FIGURES["strangers_cpu_percent"] == pytest.approx(100 * (4 - 0.1 - 0.05 - 0.6 - 0.3 - 0.5 - 0.5) / 2)

    def test_mesh_has_no_engine(self) -> None:
        still = parts(0, 0, (0.0,), (), 0)
        figures = figures_of(still, parts(1, 1, (1.0,), (), 2), MADE, [seen_by_a_browser(1000, 1)])
        assert "engine_us_an_event" not in figures and "p99_ms" not in figures


class TestWorkloads:
    def test_names_are_those_of_no_other(self) -> None:
        names = [workload.name for workload in (*WORKLOADS, *CLUSTERS)]
        assert len({*names}) == len(names)

    def test_each_has_all_kinds_for_three_nodes_and_for_eight(self) -> None:
        assert {(load.nodes, load.rate) for load in CLUSTERS} == {(n, rate) for n in (3, 8) for rate in (100, 1000, 0)}
        assert all(load.kinds == CARRIERS for load in CLUSTERS)

    def test_flat_out_is_a_burst_that_every_queue_holds(self) -> None:
        assert [load.events < 10_000 for load in CLUSTERS if not load.rate] == [True, True]
        assert [load.events for load in CLUSTERS if load.rate] == [0] * 4


RESULTS = {
    "nodes-3-1000": {"nats": [{"sender_us_an_event": 50.0, "p99_ms": 3.0}]},
    "nodes-8-1000": {"nats": [{"sender_us_an_event": 60.0}]},
}


class TestAims:
    def test_every_aim_names_workloads_that_there_are(self) -> None:
        names = {workload.name for workload in (*WORKLOADS, *CLUSTERS)}
        assert {name for aim in LINK_AIMS for name in aim.workloads} <= names

    def test_senders_growth_and_latency_are_held_against_their_bounds(self) -> None:
        lines = link_aims_table(RESULTS).splitlines()
        (growth,) = (line for line in lines if "8 nodes over 3" in line and "nats" in line)
        (latency,) = (line for line in lines if "p99 with 3 nodes" in line and "nats" in line)
        assert growth.endswith("| 1.2 |") and latency.endswith("| 3 |")


class TestRounds:
    def test_kind_that_can_not_run_is_named_once_and_the_others_go_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[str] = []

        def run_once(bench: object, kind: str, load: object) -> dict[str, float]:
            asked.append(kind)
            if kind == "nats":
                raise RunFailed("no nats-server on the PATH")
            return {"p99_ms": 1.0}

        monkeypatch.setattr(backplane, "run_once", run_once)
        bench = Bench(Path(), Path(), 0, 1)
        runs, absent = backplane.run_rounds(bench, CLUSTERS[0].among(["mesh", "nats"]), 2, 0)
        assert (runs, absent) == ({"mesh": [{"p99_ms": 1.0}] * 2}, {"nats": "no nats-server on the PATH"})
        assert asked == ["mesh", "nats", "mesh"]
