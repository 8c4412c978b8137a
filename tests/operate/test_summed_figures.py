"""The figures of several processes as those of one."""

import dataclasses
from typing import Any

import pytest
from awxfast.figures import About
from awxfast.operate.counts import add_counts
from awxfast.operate.snapshot import Snapshots
from awxfast.operate.summed_figures import SummedFigures
from still_figures import FANOUT, LEDGER, NODE, StillFigures

NOBODY = About("9.9", 0.0, ["127.0.0.1:80"], None)


def take(figures: StillFigures | None = None) -> dict[str, Any]:
    return Snapshots(figures or StillFigures()).take()


def count(*snapshots: dict[str, Any]) -> dict[str, Any]:
    total: dict[str, Any] = {}
    for one in snapshots:
        total = add_counts(total, {**one["counted"], **one["own"]})
    return total


@pytest.fixture
def one() -> SummedFigures:
    told = take()
    return SummedFigures(count(told), {0: told["present"]}, [], [], NOBODY)


@pytest.fixture
def two() -> SummedFigures:
    """One that serves and one that drains."""
    first, second = take(), take()
    return SummedFigures(count(first, second), {0: first["present"]}, [second["present"]], [], NOBODY)


@pytest.mark.parametrize(
    "name",
    [
        *("about", "ledger", "fanout", "intake", "handshakes", "closes", "faults", "unserved", "command_errors"),
        *("max_clients", "plain_connections", "peers", "gone_peers", "engine"),
    ],
)
def test_those_of_one_process_are_its_own(one: SummedFigures, name: str) -> None:
    assert getattr(one, name)() == getattr(StillFigures(), name)()


class TestSums:
    def test_what_was_counted_and_what_waits_is_added_and_balances(self, two: SummedFigures) -> None:
        ledger = two.ledger()
        assert ledger["events"]["in"] == 2 * LEDGER["events"]["in"]
        assert ledger["frames"] == add_counts(LEDGER["frames"], LEDGER["frames"])
        assert ledger["balance"] == {"events": 0, "frames": 0}
        assert ledger["clients"] == 14
        assert two.fanout()["event_age"]["counts"] == [2 * number for number in FANOUT["event_age"]["counts"]]

    def test_node_that_both_know_is_one(self, two: SummedFigures) -> None:
        node, _ = two.peers()
        sums = {"links": 2, "received": 60, "received_bytes": 6000, "sent": 10, "sent_bytes": 1000, "queued": 4}
        lost = {"queue_frames": 2, "lost_at_close": 8, "too_large": 0}
        assert node == dataclasses.replace(NODE, **sums, lost=lost, groups_refused=60)

    def test_who_drains_lets_nobody_in_and_makes_nobody_unready(self) -> None:
        first, second = take(), take(StillFigures(["Redis does not answer"]))
        figures = SummedFigures(count(first, second), {0: first["present"]}, [second["present"]], [], NOBODY)
        assert figures.max_clients() == 12_000
        assert figures.unready_reasons() == []
        intake = figures.intake()
        assert intake is not None and intake.redis_up

    def test_who_is_silent_stands_before_the_reasons_of_the_others(self) -> None:
        told = take(StillFigures(["Redis does not answer"]))
        figures = SummedFigures(count(told), {0: told["present"]}, [], ["it hangs"], NOBODY)
        assert figures.unready_reasons() == ["it hangs", "Redis does not answer"]


class TestNobody:
    def test_what_those_that_are_gone_had_counted_stays(self) -> None:
        told = take()
        figures = SummedFigures(count(told), {}, [], ["no process serves"], NOBODY)
        assert figures.ledger()["events"] == LEDGER["events"]
        assert figures.ledger()["clients"] == 0
        assert figures.about() == NOBODY
        assert figures.fanout()["event_age"]["counts"] == [sum(FANOUT["event_age"]["counts"])]
        assert figures.intake() is figures.unserved() is figures.max_clients() is figures.plain_connections() is None

    def test_all_is_zero_before_anybody_has_told_anything(self) -> None:
        ledger = SummedFigures({}, {}, [], [], NOBODY).ledger()
        assert ledger["events"] == {"in": 0, "routed": 0, "no_subscriber": 0, "rejected": {}}
        assert ledger["balance"] == {"events": 0, "frames": 0}
