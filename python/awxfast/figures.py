"""What the operator's rooms ask of a running relay; `app` answers."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol


@dataclasses.dataclass(frozen=True, slots=True)
class RedisFigures:
    """One Redis of several: is it there, and how many events waited in it at the last look."""

    up: bool
    depth: int


@dataclasses.dataclass(frozen=True, slots=True)
class IntakeFigures:
    """The intake's state: is Redis there, how many events waited at the last look, what had to be mended.

    `hosts`: where there are several Redis, each by its address; the rest is of all of them.
    """

    redis_up: bool
    depth: int
    registrations_repaired: int
    hosts: Mapping[str, RedisFigures] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class PlainFigures:
    """Connections that are no websockets, and what became of those that there was no place for.

    `unanswered`: bytes of what clients have sent that wait for an answer, those of upgrades among them.
    """

    open: int
    ended: Mapping[str, int]
    unanswered: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class SlowClient:
    """A client with something queued or shed; ages in seconds."""

    client: int
    frames: int
    bytes: int
    shed: int
    oldest_age: float


@dataclasses.dataclass(frozen=True, slots=True)
class PeerFigures:
    """Another node, by its address. Counts are frames and bytes; `lost`: frames that it did not get, by reason.

    `state` is `connected`, `refused` or `gone`; `clock_skew`: its clock less ours in seconds. `groups_refused`: those
    that its browsers asked for when it had as many as it may have; `groups_waiting`: those of them that wait for room.
    `silent`: its events go by the engine.
    """

    host: str
    state: str
    eras: Sequence[str]
    links: int
    received: int
    received_bytes: int
    sent: int
    sent_bytes: int
    queued: int
    lost: Mapping[str, int]
    clock_skew: int | None
    old_secret: bool
    last_error: str
    groups_waiting: int = 0
    groups_refused: int = 0
    silent: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class GonePeers:
    """The sums over all nodes that are shown no more."""

    received: int = 0
    sent: int = 0
    lost: Mapping[str, int] = dataclasses.field(default_factory=dict)
    groups_refused: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class EngineOrigin:
    """A publisher whose events an engine brings: how many came, never came, and came again.

    `node`: where it is, as it said last; empty if it was never heard. `is_heard`: whether it is there.
    """

    publisher: str
    node: str
    is_heard: bool
    events: int
    missed: int
    doubles: int


@dataclasses.dataclass(frozen=True, slots=True)
class EngineFigures:
    """What carries events between nodes in the mesh's place, as this process sees it.

    `events`: by what became of them here; `lost`: those that did not leave, by reason; `faults`: messages that are
    none; `no_room`: what was not kept. `own`: messages and bytes in either direction, `reconnects`; no other process
    counts on from these. `present`: what waits, what is subscribed to, and who else is there, in numbers.
    """

    up: bool
    trouble: str
    events: Mapping[str, int]
    lost: Mapping[str, int]
    faults: Mapping[str, int]
    no_room: Mapping[str, int]
    own: Mapping[str, int]
    present: Mapping[str, int]
    origins: Sequence[EngineOrigin] = ()
    """Of a process that takes events."""


@dataclasses.dataclass(frozen=True, slots=True)
class ProcessFigures:
    """What the kernel and the interpreter know of a serving process; sizes in bytes, limits None: there is none.

    `limits`: the soft and the hard one of its descriptors; `busy_threads`: those in synchronous code.
    """

    virtual_memory: int
    resident_memory: int
    started: float
    cpu_seconds: float
    descriptors: int
    limits: Mapping[str, int | None]
    busy_threads: int


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """What main knows: its own number, to which signals go; how many processes came in the place of one; its reloads.

    `draining`: processes that still serve their last clients beside the one in their place.
    """

    main: int
    generation: int = 0
    reloads: Mapping[str, int] = dataclasses.field(default_factory=lambda: {"done": 0, "failed": 0})
    draining: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class About:
    """Which process this is; `uptime` in seconds, since it began to serve. `redis` None: it needs none.

    `engine`: what carries events between nodes, without any secret; None: links.
    """

    version: str
    uptime: float
    addresses: Sequence[str]
    redis: str | None
    engine: str | None = None


class Figures(Protocol):
    """A running relay, to look at. Nothing here blocks."""

    def about(self) -> About:
        """Version, age, addresses and Redis, without any secret."""

    def ledger(self) -> Mapping[str, Any]:
        """The fan-out's ledger (docs/monitoring.md)."""

    def fanout(self) -> Mapping[str, Any]:
        """Encodings, writes, queued bytes and the histogram of event ages."""

    def intake(self) -> IntakeFigures | None:
        """The intake's state; None when an application needs none."""

    def handshakes(self) -> Mapping[tuple[str, str], int]:
        """How many handshakes ended with (result, reason)."""

    def closes(self) -> Mapping[tuple[str, str], int]:
        """How many websockets were closed by (server or peer, code)."""

    def faults(self) -> Mapping[str, int]:
        """How many websockets were closed for what their peer did wrong, by reason."""

    def unserved(self) -> int | None:
        """Bytes that browsers have sent and nobody has served; None where there are none."""

    def command_errors(self) -> Mapping[str, int]:
        """How many error replies browsers got, by reason."""

    def max_clients(self) -> int | None:
        """How many browsers are let in; None where there are none."""

    def plain_connections(self) -> PlainFigures | None:
        """Those that are no websockets; None where nobody listens for them."""

    def slow_clients(self) -> Sequence[SlowClient]:
        """Clients with something queued or shed."""

    def peers(self) -> Sequence[PeerFigures]:
        """Other nodes that are linked, or were not long ago."""

    def gone_peers(self) -> GonePeers:
        """What those that are shown no more had."""

    def engine(self) -> EngineFigures | None:
        """What carries events between nodes; None where that is the mesh alone."""

    def unready_reasons(self) -> Sequence[str]:
        """Why the relay can't do its work now, a line each; empty: it can."""
