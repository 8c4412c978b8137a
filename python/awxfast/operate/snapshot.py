"""The figures of a serving process at one moment, as JSON has them: what main hears of them.

What was counted stands apart from what is at present, since it outlives the process, in sums that main keeps. Of what
was counted all but `own` is the next process's to tell, where one takes the place of another and counts on from there.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from awxfast.figures import EngineFigures, Figures, IntakeFigures, PeerFigures
from awxfast.operate.counts import Counts, subtract_counts
from awxfast.operate.process_watch import ProcessWatch
from awxfast.system.queued_stream import dropped_lines

MOST_SLOW_CLIENTS = 1000
"""That are told of at once, those with the most frames: each takes a hundred bytes of main's memory and of its time."""


LEFT: Mapping[str, Any] = {
    **dict.fromkeys(("pending", "clients", "groups", "queued_bytes", "reply_bytes"), 0),
    "unserved": None,
    "engine": None,
    "peers": [],
}
"""What is not so any more in a process that has left all to another one, and is so there."""


class Snapshots:
    """Takes those of one process, for whoever asks."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._watch = ProcessWatch()
        self._left: Counts | None = None
        self._writes_on = False

    def take(self) -> dict[str, Any]:
        """What there is now."""
        ledger = self._figures.ledger()
        counted = self._list_counted(ledger)
        present = list_present(self._figures, ledger, self._watch)
        if self._left is not None:
            counted = subtract_counts(counted, self._left)
            present |= LEFT
        return {"counted": counted, "own": list_own(self._figures), "present": present}

    @property
    def has_left(self) -> bool:
        """Whether another process counts on from what was counted here."""
        return self._left is not None

    def leave(self, *, writes_on: bool) -> None:
        """Another process tells from now on what was counted up to now; this one only what is new.

        `writes_on`: this one writes what waits, and that one counts it as written already.
        """
        self._writes_on = writes_on
        self._left = {}
        self._left = copy.deepcopy(self._list_counted(self._figures.ledger()))

    def end_leaving(self) -> None:
        """It does not, after all."""
        self._left = None

    def _list_counted(self, ledger: Mapping[str, Any]) -> Counts:
        counted = list_counted(self._figures, ledger)
        if self._left is not None:
            del counted["gone_peers"]  # all nodes that were known here are known there, and shown there
            counted["frames"]["written"] += ledger["frames"]["pending"] if self._writes_on else 0
        return counted

    def list_slow_clients(self) -> list[Any]:
        """Those with the most frames."""
        slow = sorted(self._figures.slow_clients(), key=lambda one: one.frames, reverse=True)
        return [list_fields(one) for one in slow[:MOST_SLOW_CLIENTS]]


def list_counted(figures: Figures, ledger: Mapping[str, Any]) -> Counts:
    """What only ever grows."""
    fanout, intake, gone = figures.fanout(), figures.intake(), figures.gone_peers()
    age = fanout["event_age"]
    return {
        "events": ledger["events"],
        "frames": {name: count for name, count in ledger["frames"].items() if name != "pending"},
        "gaps": ledger["gaps"],
        "encodings": fanout["encodings"],
        "writes": fanout["writes"],
        "event_age": {"counts": age["counts"], "sum": age["sum"], "odd": age["odd"]},
        "registrations_repaired": intake.registrations_repaired if intake is not None else 0,
        "handshakes": nest(figures.handshakes()),
        "closes": nest(figures.closes()),
        "faults": {**figures.faults()},
        "command_errors": {**figures.command_errors()},
        "gone_peers": {**list_fields(gone), "lost": {**gone.lost}},
        **count_engine(figures.engine()),
    }


def list_own(figures: Figures) -> Counts:
    """The same, of what no other process ever counts on from."""
    plain, engine = figures.plain_connections(), figures.engine()
    return {
        "engine_own": {**engine.own} if engine is not None else {},
        "plain_ended": {**plain.ended} if plain is not None else {},
        "log_lines_dropped": {**dropped_lines()},
    }


def count_engine(engine: EngineFigures | None) -> Counts:
    """What became of events there; nothing without an engine."""
    names = ("events", "lost", "faults", "no_room")
    return {"engine": {name: {**getattr(engine, name)} for name in names}} if engine is not None else {}


def list_engine(engine: EngineFigures) -> dict[str, Any]:
    """What is so now, as JSON has it."""
    origins = [list_fields(origin) for origin in engine.origins]
    return {"up": engine.up, "trouble": engine.trouble, "numbers": {**engine.present}, "origins": origins}


def list_present(figures: Figures, ledger: Mapping[str, Any], watch: ProcessWatch) -> dict[str, Any]:
    """What is so now, and ends with the process."""
    fanout, intake, plain, about = figures.fanout(), figures.intake(), figures.plain_connections(), figures.about()
    engine = figures.engine()
    return {
        "pending": ledger["frames"]["pending"],
        "clients": ledger["clients"],
        "groups": ledger["groups"],
        "queued_bytes": fanout["queued_bytes"],
        "reply_bytes": fanout["reply_bytes"],
        "age_bounds": fanout["event_age"]["bounds"],
        "intake": list_intake(intake) if intake is not None else None,
        "unserved": figures.unserved(),
        "engine": list_engine(engine) if engine is not None else None,
        "max_clients": figures.max_clients(),
        "plain": {"open": plain.open, "unanswered": plain.unanswered} if plain is not None else None,
        "peers": [list_peer(peer) for peer in figures.peers()],
        "unready": [*figures.unready_reasons()],
        "about": {**list_fields(about), "addresses": [*about.addresses]},
        "process": list_fields(watch.read()),
    }


def list_intake(intake: IntakeFigures) -> dict[str, Any]:
    """What is so now, as JSON has it."""
    hosts = {address: list_fields(host) for address, host in intake.hosts.items()}
    return {"redis_up": intake.redis_up, "depth": intake.depth, "hosts": hosts}


def list_peer(peer: PeerFigures) -> dict[str, Any]:
    """A node as JSON has it."""
    return {**list_fields(peer), "eras": [*peer.eras], "lost": {**peer.lost}}


def list_fields(record: Any) -> dict[str, Any]:
    """By name, without a copy of what is inside: there are up to a thousand nodes."""
    return {name: getattr(record, name) for name in type(record).__dataclass_fields__}


def nest(counts: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    """JSON has no pairs for names."""
    nested: dict[str, dict[str, int]] = {}
    for (outer, inner), count in counts.items():
        nested.setdefault(outer, {})[inner] = count
    return nested


def unnest(nested: Mapping[str, Mapping[str, int]]) -> dict[tuple[str, str], int]:
    """The inverse of `nest`."""
    return {(outer, inner): count for outer, counts in nested.items() for inner, count in counts.items()}


def sum_peers(peers: Sequence[Mapping[str, Any]]) -> Counts:
    """What nodes had, for when they are shown no more."""
    total: Counts = {"received": 0, "sent": 0, "lost": {}, "groups_refused": 0}
    for peer in peers:
        for name in ("received", "sent", "groups_refused"):
            total[name] += peer[name]
        for reason, count in peer["lost"].items():
            total["lost"][reason] = total["lost"].get(reason, 0) + count
    return total
