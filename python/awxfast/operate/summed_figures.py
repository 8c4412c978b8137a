"""The figures of all serving processes of a server as one, from what each has told last and what is left of others."""

from collections.abc import Mapping, Sequence
from typing import Any

from awxfast.figures import (
    About,
    EngineFigures,
    EngineOrigin,
    GonePeers,
    IntakeFigures,
    PeerFigures,
    PlainFigures,
    ProcessFigures,
    RedisFigures,
    SlowClient,
)
from awxfast.operate.counts import Counts, add_counts
from awxfast.operate.snapshot import unnest

STATES = ("connected", "refused", "disconnected", "gone")
"""Of a node that several processes know, the first that it has in one of them."""
NOTHING: Counts = {
    "events": {"in": 0, "routed": 0, "no_subscriber": 0, "rejected": {}},
    "frames": {"queued": 0, "written": 0, "shed": {}, "lost_at_close": 0},
    "gaps": {},
    "encodings": 0,
    "writes": 0,
    "event_age": {"counts": [0], "sum": 0.0, "odd": 0},
    "registrations_repaired": 0,
    "handshakes": {},
    "closes": {},
    "faults": {},
    "command_errors": {},
    "gone_peers": {"received": 0, "sent": 0, "lost": {}, "groups_refused": 0},
    "engine": {"events": {}, "lost": {}, "faults": {}, "no_room": {}},
    "engine_own": {},
    "plain_ended": {},
    "log_lines_dropped": {},
}
"""Where nobody has told anything."""


class SummedFigures:
    """As `figures.Figures` asks for them.

    `counted`: over all, those that are gone among them. `serving`: what the processes told that serve whoever comes, by
    the number of their place; `draining`: the others. `silent`: a line for each that serves and can't be heard.
    """

    def __init__(
        self,
        counted: Counts,
        serving: Mapping[int, Mapping[str, Any]],
        draining: Sequence[Mapping[str, Any]],
        silent: Sequence[str],
        nobody: About,
    ) -> None:
        """`nobody`: what is known where no process tells anything."""
        self._counted = add_counts(NOTHING, counted)
        self._by_number = serving
        self._serving = list(serving.values())
        self._all = [*self._serving, *draining]
        self._silent = silent
        self._nobody = nobody

    def _sum(self, name: str) -> Any:
        return sum(present[name] for present in self._all if present[name] is not None)

    def _is_known(self, name: str) -> bool:
        return any(present[name] is not None for present in self._serving)

    def about(self) -> About:
        """Of the process that serves the longest."""
        told = [About(**present["about"]) for present in self._serving]
        return max(told, key=lambda about: about.uptime, default=self._nobody)

    def ledger(self) -> Mapping[str, Any]:
        """What became of all events and frames."""
        events, pending = self._counted["events"], self._sum("pending")
        frames = {**self._counted["frames"], "pending": pending}
        done = events["routed"] + events["no_subscriber"] + sum(events["rejected"].values())
        gone = frames["written"] + sum(frames["shed"].values()) + frames["lost_at_close"] + pending
        return {
            "events": events,
            "frames": frames,
            "balance": {"events": events["in"] - done, "frames": frames["queued"] - gone},
            "gaps": self._counted["gaps"],
            "clients": self._sum("clients"),
            "groups": self._sum("groups"),
        }

    def fanout(self) -> Mapping[str, Any]:
        """Encodings, writes, queued bytes and the histogram of event ages."""
        age = self._counted["event_age"]
        bounds: list[float] = max((present["age_bounds"] for present in self._all), key=len, default=[])
        if len(age["counts"]) != len(bounds) + 1:  # nobody is left who knows them
            bounds, age = [], {**age, "counts": [sum(age["counts"])]}
        return {
            "encodings": self._counted["encodings"],
            "writes": self._counted["writes"],
            "queued_bytes": self._sum("queued_bytes"),
            "reply_bytes": self._sum("reply_bytes"),
            "event_age": {"bounds": bounds, **age},
        }

    def intake(self) -> IntakeFigures | None:
        """Whether Redis answers all, and what waits there for them."""
        intakes = [present["intake"] for present in self._serving if present["intake"] is not None]
        if not intakes:
            return None
        depth = sum(present["intake"]["depth"] for present in self._all if present["intake"] is not None)
        is_up = all(intake["redis_up"] for intake in intakes)
        return IntakeFigures(is_up, depth, self._counted["registrations_repaired"], sum_hosts(intakes))

    def handshakes(self) -> Mapping[tuple[str, str], int]:
        """How many handshakes ended with (result, reason)."""
        return unnest(self._counted["handshakes"])

    def closes(self) -> Mapping[tuple[str, str], int]:
        """How many websockets were closed by (server or peer, code)."""
        return unnest(self._counted["closes"])

    def faults(self) -> Mapping[str, int]:
        """How many websockets were closed for what their peer did wrong, by reason."""
        faults: Mapping[str, int] = self._counted["faults"]
        return faults

    def unserved(self) -> int | None:
        """Bytes that browsers have sent and nobody has served."""
        return self._sum("unserved") if self._is_known("unserved") else None

    def command_errors(self) -> Mapping[str, int]:
        """How many error replies browsers got, by reason."""
        errors: Mapping[str, int] = self._counted["command_errors"]
        return errors

    def max_clients(self) -> int | None:
        """How many browsers are let in, which all know that let any in."""
        known = [present["max_clients"] for present in self._serving if present["max_clients"] is not None]
        return max(known) if known else None

    def plain_connections(self) -> PlainFigures | None:
        """Those that are no websockets."""
        known = [present["plain"] for present in self._all if present["plain"] is not None]
        if not known:
            return None
        waiting = sum(plain["unanswered"] for plain in known)
        return PlainFigures(sum(plain["open"] for plain in known), self._counted["plain_ended"], waiting)

    def slow_clients(self) -> Sequence[SlowClient]:
        """Nobody tells of them unasked."""
        return ()

    def peers(self) -> Sequence[PeerFigures]:
        """Each node once, whichever processes it is linked with."""
        by_host: dict[str, dict[str, Any]] = {}
        for present in self._all:
            for peer in present["peers"]:
                former = by_host.get(peer["host"])
                by_host[peer["host"]] = peer if former is None else merge_peers(former, peer)
        return [PeerFigures(**peer) for peer in by_host.values()]

    def gone_peers(self) -> GonePeers:
        """What those that are shown no more had."""
        return GonePeers(**self._counted["gone_peers"])

    def engine(self) -> EngineFigures | None:
        """Whether all are connected with it, and what all of them have there."""
        engines = [present["engine"] for present in self._serving if present["engine"] is not None]
        if not engines:
            return None
        numbers: Mapping[str, int] = {}
        for present in self._all:
            if present["engine"] is not None:
                numbers = add_counts(numbers, present["engine"]["numbers"])
        return EngineFigures(
            up=all(engine["up"] for engine in engines),
            trouble=next((engine["trouble"] for engine in engines if engine["trouble"]), ""),
            **self._counted["engine"],
            own=self._counted["engine_own"],
            present=numbers,
            origins=sum_origins(engines),
        )

    def unready_reasons(self) -> Sequence[str]:
        """Why one of them can't do its work now, a line each."""
        told = dict.fromkeys(reason for present in self._serving for reason in present["unready"])
        return [*self._silent, *told]

    def log_lines_dropped(self) -> Mapping[str, int]:
        """How many each stream's readers were too slow for."""
        dropped: Mapping[str, int] = self._counted["log_lines_dropped"]
        return dropped

    def processes(self) -> Mapping[int, ProcessFigures]:
        """What the kernel knows of each that serves whoever comes, by the number of its place."""
        return {number: ProcessFigures(**present["process"]) for number, present in self._by_number.items()}


def merge_peers(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """One node that two processes know: counts are sums, and of what is no count one's word stands."""
    counts = ("links", "received", "received_bytes", "sent", "sent_bytes", "queued", "lost", "groups_refused")
    summed = {name: add_counts(first[name], second[name]) for name in counts}
    return {
        **first,
        **summed,
        "state": min(first["state"], second["state"], key=STATES.index),
        "eras": sorted({*first["eras"], *second["eras"]}),
        "clock_skew": first["clock_skew"] if first["clock_skew"] is not None else second["clock_skew"],
        "old_secret": first["old_secret"] or second["old_secret"],
        "last_error": first["last_error"] or second["last_error"],
        "groups_waiting": max(first["groups_waiting"], second["groups_waiting"]),
        "silent": first["silent"] and second["silent"],
    }


def sum_origins(engines: Sequence[Mapping[str, Any]]) -> Sequence[EngineOrigin]:
    """Each publisher of an engine, as all processes hear it."""
    origins: dict[str, dict[str, Any]] = {}
    for one in (origin for engine in engines for origin in engine["origins"]):
        former = origins.get(one["publisher"])
        origins[one["publisher"]] = one if former is None else merge_origins(former, one)
    return [EngineOrigin(**origin) for origin in origins.values()]


def merge_origins(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """One publisher that two processes hear."""
    summed = {name: first[name] + second[name] for name in ("events", "missed", "doubles")}
    is_heard = first["is_heard"] or second["is_heard"]
    return {**first, **summed, "node": first["node"] or second["node"], "is_heard": is_heard}


def sum_hosts(intakes: Sequence[Mapping[str, Any]]) -> Mapping[str, RedisFigures]:
    """Each Redis of several, as all processes see it."""
    hosts: dict[str, RedisFigures] = {}
    for intake in intakes:
        for address, host in intake["hosts"].items():
            known = hosts.get(address, RedisFigures(True, 0))
            hosts[address] = RedisFigures(known.up and host["up"], known.depth + host["depth"])
    return hosts
