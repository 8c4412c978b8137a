"""What can be measured: the kinds of workloads. `catalogue` has those that are."""

from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Self

from traffic.event_texts import AWX_CAPACITY

GROUP = "job_events-1"
APPLICATION = "peers.stock_site:application"
"""What is hosted where a workload names no other."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Sizes in bytes of text, times in seconds, rates in events a second."""

    name: str
    title: str
    servers: tuple[str, ...] = ("daphne", "awxfast")
    """Whom it is run against; for some kinds: ways of doing the same."""
    quick: tuple[str, ...] | None = None
    """Of these, who takes part in a short run; None: all."""
    has_two_cores: bool = False
    """The server has two cores, which the load shares where the machine has no others for it."""

    def shortened(self, seconds: float) -> Self:
        """For a run that only shows whether all works."""
        return self if self.quick is None else replace(self, servers=self.quick)


@dataclass(frozen=True, kw_only=True)
class Timed(Workload):
    """Lasts for so many seconds, or fewer in a short run."""

    seconds: float = 3

    def shortened(self, seconds: float) -> Self:
        return replace(super().shortened(seconds), seconds=min(self.seconds, seconds))


@dataclass(frozen=True, kw_only=True)
class Stream(Timed):
    """Events to clients that read."""

    clients: int = 100
    never_read: int = 0
    groups: tuple[str, ...] = (GROUP,)
    """Client `i` is in the `i`-th of them, round and round; a name may stand here more than once."""
    size: int = 1024
    producer: str = "pipeline"
    """A way of making events, as `traffic.producers` names them."""
    rate: float = 0
    """Events a second; 0: flat out."""
    events: int = 0
    """Flat out: how many there are; 0: as many as go out in the time."""
    depth: int = 256
    """Flat out: how many events are kept waiting in Redis."""
    warm_up: float = 0.5
    """Latencies of the first so many seconds are left out."""

    def shortened(self, seconds: float) -> Self:
        return replace(super().shortened(seconds), warm_up=min(self.warm_up, seconds / 4))

    def frames_of(self, events: int) -> int:
        """How many frames so many events are, that go to the groups in turns."""
        sizes = dict.fromkeys(self.groups, 0)
        for client in range(self.clients):
            sizes[self.groups[client % len(self.groups)]] += 1
        rounds, rest = divmod(events, len(sizes))
        return rounds * self.clients + sum(islice(sizes.values(), rest))


@dataclass(frozen=True, kw_only=True)
class Idle(Workload):
    """Clients that subscribe and hear nothing: memory."""

    clients: int = 1000
    groups: int = 50
    """Jobs that they watch, spread; each client watches one, and two groups of statuses."""
    signed_in: bool = False
    """The application looks up each client's session and user in its database."""


@dataclass(frozen=True, kw_only=True)
class Storm(Workload):
    """Many connect at once."""

    clients: int = 1000
    connecting: int = 40
    """Handshakes under way at a time. daphne lets 50 connections wait; beyond that some are reset."""
    application: str = APPLICATION
    """Where the server hosts one."""
    subscribes: bool = True
    """Each client also has a welcome and a first subscription; else it is there with its 101."""


@dataclass(frozen=True, kw_only=True)
class Edge(Timed):
    """Twice the rate that the server can carry, then half of it."""

    servers: tuple[str, ...] = ("awxfast",)
    clients: int = 100
    size: int = 1024
    capacity: int = AWX_CAPACITY
    """Events that wait in Redis when producers begin to drop, as AWX's do."""
    seconds: float = 4
    """Of each of the three parts: flat out, overload, half the best rate."""


@dataclass(frozen=True, kw_only=True)
class Search(Timed):
    """The highest rate, up to `rate`, at which nothing is lost and nothing piles up."""

    servers: tuple[str, ...] = ("awxfast",)
    clients: int = 10
    size: int = 4096
    rate: float = 100_000
    seconds: float = 2
    """How long each attempt takes."""


@dataclass(frozen=True, kw_only=True)
class Alone(Timed):
    """The fan-out without Redis and sessions, against a program that only sends frames that are ready."""

    servers: tuple[str, ...] = ("raw", "fan-out")
    clients: int = 100
    size: int = 1024
    batch: int = 32
    """Events a call; frames a write of the program that only sends."""
    seconds: float = 2


@dataclass(frozen=True, kw_only=True)
class Requests(Timed):
    """Plain requests to an application, one under way on each connection."""

    application: str
    connections: int = 32


@dataclass(frozen=True, kw_only=True)
class Echoes(Timed):
    """Clients send messages to an application that sends each back."""

    application: str
    clients: int
    size: int
    under_way: int
    """Messages of a client for which it has no answer yet."""
    seconds: float = 2


@dataclass(frozen=True, kw_only=True)
class Producing(Timed):
    """Producers alone: what an event costs them and Redis. `servers` are ways of `traffic.producers`."""

    servers: tuple[str, ...] = field(default=("fresh-loops", "stock", "layer", "emit"))
    size: int = 1024
