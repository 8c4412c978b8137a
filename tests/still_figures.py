"""A relay's figures that don't move, for tests of what operators look at."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from awxfast.figures import (
    About,
    EngineFigures,
    EngineOrigin,
    Figures,
    GonePeers,
    IntakeFigures,
    PeerFigures,
    Place,
    PlainFigures,
    SlowClient,
)
from awxfast.operate.view import OwnSource, View

LEDGER = {
    "events": {"in": 115, "routed": 100, "no_subscriber": 10, "rejected": {"too_large": 3, "malformed": 2}},
    "frames": {"queued": 400, "written": 350, "shed": {"queue_frames": 20}, "lost_at_close": 10, "pending": 20},
    "balance": {"events": 0, "frames": 0},
    "gaps": {"pop_broken": {"times": 2, "at_most": 512}},
    "clients": 7,
    "groups": 4,
}
FANOUT = {
    "encodings": 100,
    "writes": 60,
    "queued_bytes": 4096,
    "reply_bytes": 512,
    "event_age": {"bounds": [0.001, 0.01], "counts": [5, 3, 2], "sum": 0.5, "odd": 2},
}


NODE = PeerFigures(
    host="192.0.2.7",
    state="connected",
    eras=["relay"],
    links=1,
    received=30,
    received_bytes=3000,
    sent=5,
    sent_bytes=500,
    queued=2,
    lost={"queue_frames": 1, "lost_at_close": 4, "too_large": 0},
    clock_skew=3,
    old_secret=True,
    last_error="",
    groups_waiting=24,
    groups_refused=30,
)


REFUSED_NODE = dataclasses.replace(
    NODE, host="192.0.2.8", state="refused", links=0, clock_skew=-400, eras=[], groups_waiting=0
)
PEERS = [dataclasses.asdict(node) for node in (NODE, REFUSED_NODE)]


ENGINE = EngineFigures(
    up=True,
    trouble="",
    events={"sent": 40, "not_wanted": 3},
    lost={"queue_full": 2},
    faults={"not_json": 1},
    no_room={"groups": 5},
    own={"published": 30, "published_bytes": 3000, "received": 9, "received_bytes": 900, "reconnects": 1},
    present={"queued": 4, "queued_bytes": 400, "subscribed": 6, "takers": 2, "publishers": 1, "wanted": 8},
    origins=[EngineOrigin("0123456789abcdef", "awx-2", True, 500, 7, 2)],
)


SHOWN_ENGINE = {
    "up": True,
    "trouble": "",
    "events": {"sent": 40, "not_wanted": 3},
    "lost": {"queue_full": 2},
    "faults": {"not_json": 1},
    "no_room": {"groups": 5},
    **ENGINE.own,
    **ENGINE.present,
    "origins": [dataclasses.asdict(origin) for origin in ENGINE.origins],
}
"""As the ledger's page has it."""

ENGINE_NAME = "nats at 127.0.0.1:4222, prefix awxfast"
PLACE = Place(4242, 3, {"done": 3, "failed": 1})


def view_of(figures: Figures) -> View:
    """What the pages are made of where a process has these."""
    return OwnSource(figures, PLACE).look_now()


class StillFigures:
    """Answers what it was given."""

    def __init__(self, reasons: Sequence[str] = ()) -> None:
        self.reasons = reasons
        self.slow = [SlowClient(client=9, frames=20, bytes=2048, shed=3, oldest_age=1.5)]

    def about(self) -> About:
        return About("1.2.3", 90.5, ["127.0.0.1:8055"], "redis://127.0.0.1:6379/0", ENGINE_NAME)

    def ledger(self) -> Mapping[str, Any]:
        return LEDGER

    def fanout(self) -> Mapping[str, Any]:
        return FANOUT

    def intake(self) -> IntakeFigures:
        return IntakeFigures(redis_up=not self.reasons, depth=12, registrations_repaired=5)

    def handshakes(self) -> Mapping[tuple[str, str], int]:
        return {("accepted", "tokens"): 8, ("refused", "auth"): 2}

    def closes(self) -> Mapping[tuple[str, str], int]:
        return {("peer", "1001"): 6, ("server", "1009"): 1}

    def faults(self) -> Mapping[str, int]:
        return {"message too big": 1}

    def unserved(self) -> int:
        return 777

    def command_errors(self) -> Mapping[str, int]:
        return {"denied": 4}

    def max_clients(self) -> int:
        return 12_000

    def plain_connections(self) -> PlainFigures:
        return PlainFigures(17, {"idle": 3, "refused": 1}, 4096)

    def slow_clients(self) -> Sequence[SlowClient]:
        return self.slow

    def peers(self) -> Sequence[PeerFigures]:
        return [NODE, REFUSED_NODE]

    def gone_peers(self) -> GonePeers:
        return GonePeers(1000, 0, {"lost_at_close": 9}, 2)

    def engine(self) -> EngineFigures:
        return ENGINE

    def unready_reasons(self) -> Sequence[str]:
        return self.reasons
