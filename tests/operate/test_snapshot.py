"""What a serving process tells of itself, and what of it another one tells that takes its place."""

import json
from collections.abc import Mapping
from typing import Any

from awxfast.figures import SlowClient
from awxfast.operate import snapshot
from awxfast.operate.snapshot import Snapshots, sum_peers
from still_figures import LEDGER, PEERS, StillFigures


class MovingFigures(StillFigures):
    """A ledger that moves."""

    def __init__(self) -> None:
        super().__init__()
        self.moved: dict[str, Any] = json.loads(json.dumps(LEDGER))

    def ledger(self) -> Mapping[str, Any]:
        return self.moved


def test_it_is_json() -> None:
    taken = Snapshots(StillFigures()).take()
    assert json.loads(json.dumps(taken)) == taken


def test_what_waits_is_present_and_not_counted() -> None:
    taken = Snapshots(StillFigures()).take()
    assert taken["present"]["pending"] == 20
    assert "pending" not in taken["counted"]["frames"]


class TestLeaving:
    def test_only_what_is_new_is_told(self) -> None:
        figures = MovingFigures()
        snapshots = Snapshots(figures)
        snapshots.leave(writes_on=False)
        assert snapshots.has_left
        figures.moved["events"]["in"] += 2
        figures.moved["events"]["routed"] += 2
        taken = snapshots.take()
        assert taken["counted"] == {"events": {"in": 2, "routed": 2}, "event_age": {"counts": [0, 0, 0]}}
        assert (taken["present"]["pending"], taken["present"]["peers"]) == (0, [])

    def test_what_no_other_process_counts_on_is_told_whole(self) -> None:
        snapshots = Snapshots(StillFigures())
        snapshots.leave(writes_on=False)
        assert snapshots.take()["own"]["plain_ended"] == {"idle": 3, "refused": 1}

    def test_frames_that_the_other_process_counts_as_written_are_not_told_when_they_are(self) -> None:
        figures = MovingFigures()
        snapshots = Snapshots(figures)
        snapshots.leave(writes_on=True)
        frames = figures.moved["frames"]
        frames["pending"], frames["written"] = frames["pending"] - 15, frames["written"] + 15
        assert "frames" not in snapshots.take()["counted"]

    def test_frames_that_are_lost_all_the_same_were_not_written(self) -> None:
        figures = MovingFigures()
        snapshots = Snapshots(figures)
        snapshots.leave(writes_on=True)
        frames = figures.moved["frames"]
        frames["pending"], frames["lost_at_close"] = frames["pending"] - 5, frames["lost_at_close"] + 5
        assert snapshots.take()["counted"]["frames"] == {"written": -5, "lost_at_close": 5}

    def test_all_is_told_again_when_nobody_took_it(self) -> None:
        snapshots = Snapshots(StillFigures())
        whole = snapshots.take()["counted"]
        snapshots.leave(writes_on=True)
        snapshots.end_leaving()
        assert not snapshots.has_left
        assert snapshots.take()["counted"] == whole


def test_of_many_slow_clients_those_with_the_most_frames_are_told() -> None:
    figures = StillFigures()
    most = snapshot.MOST_SLOW_CLIENTS
    figures.slow = [SlowClient(number, frames=number, bytes=1, shed=0, oldest_age=0.0) for number in range(most + 10)]
    rows = Snapshots(figures).list_slow_clients()
    assert [row["client"] for row in rows] == list(range(most + 9, 9, -1))


def test_sum_over_nodes_is_what_those_that_are_gone_had() -> None:
    assert sum_peers(PEERS) == {
        "received": 60,
        "sent": 10,
        "lost": {"queue_frames": 2, "lost_at_close": 8, "too_large": 0},
        "groups_refused": 60,
    }
