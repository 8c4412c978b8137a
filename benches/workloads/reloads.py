"""What is measured of reloads."""

import dataclasses
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Reloaded:
    """A server that is reloaded while `clients` browsers read what `producers` make, `rate` events a second in all.

    Each producer has a group of its own; browsers are in one each. `rate` 0: flat out. `idle` more hear nothing.
    """

    name: str
    title: str
    server: str = "native"
    clients: int = 100
    idle: int = 0
    rate: float = 300.0
    way: str = "stock"
    producers: int = 1
    reloads: int = 5
    calm_seconds: float = 10.0
    """How long the same goes on without a reload, before them and behind them."""
    pause_seconds: float = 0.5
    """How long nothing is asked between two reloads."""
    size: int = 1024

    @property
    def groups(self) -> list[str]:
        """The group of each producer."""
        return [f"job_events-{number}" for number in range(self.producers)]

    def shortened(self, clients: int, reloads: int) -> Self:
        """With fewer clients and reloads, to see whether it works at all."""
        return dataclasses.replace(
            self,
            clients=min(self.clients, clients),
            idle=min(self.idle, clients),
            reloads=min(self.reloads, reloads),
            calm_seconds=4.0,
        )


WORKLOADS = (
    Reloaded(
        name="native",
        title="1,000 clients, 300 events of 1 KiB a second by channels_redis, 20 reloads",
        clients=1000,
        reloads=20,
    ),
    Reloaded(
        name="idle",
        title="8,000 clients that hear nothing, and 20 that hear 100 events a second",
        clients=20,
        idle=8000,
        rate=100,
    ),
    Reloaded(
        name="replay",
        title="An application's consumers that begin anew: 200 clients, 500 events a second by four channels_redis",
        server="replay",
        clients=200,
        rate=500,
        producers=4,
    ),
    Reloaded(
        name="memory",
        title="Memory after 50 reloads: 100 clients, and 1,000 that hear nothing",
        idle=1000,
        rate=100,
        reloads=50,
        calm_seconds=2.0,
    ),
    Reloaded(
        name="dialler",
        title="The dialler's 20 reloads: 20 browsers on the other node, 300 events a second",
        server="dialler",
        clients=20,
        way="pipeline",
        reloads=20,
    ),
    Reloaded(
        name="flat-out",
        title="As many events as the server takes, 100 clients: counts alone matter",
        rate=0,
        way="pipeline",
        calm_seconds=3.0,
    ),
)
