"""Whole clusters, mesh and engines beside each other: each workload once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

MESH, REDIS_CLUSTER, NATS = "mesh", "redis-cluster", "nats"
CARRIERS = (MESH, REDIS_CLUSTER, NATS)
FEW, MORE = 3, 8
BURST = 6_000
"""Events flat out: fewer than any queue on the way holds (10,000 messages, 32 MiB of a subscriber of Redis)."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """So many whole nodes; producers at the first, a browser on each of the others that wants all of it.

    `rate` in events a second, 0: flat out, then `BURST` events; `seconds` of it.
    """

    name: str
    title: str
    nodes: int
    rate: float
    kinds: tuple[str, ...] = CARRIERS
    seconds: float = 6
    warm_up: float = 1
    events: int = 0

    def shortened(self, seconds: float) -> "Cluster":
        return replace(self, seconds=min(self.seconds, seconds), warm_up=min(self.warm_up, seconds / 4))

    def among(self, kinds: Sequence[str]) -> "Cluster":
        return replace(self, kinds=tuple(kind for kind in self.kinds if kind in kinds))


def cluster(nodes: int, rate: float, words: str) -> Cluster:
    return Cluster(
        name=f"nodes-{nodes}-{rate or 'flat'}",
        title=f"{nodes} nodes, {words}, 4 KiB",
        nodes=nodes,
        rate=rate,
        events=0 if rate else BURST,
    )


RATES = ((100, "100 events a second"), (1000, "1,000 events a second"), (0, "flat out"))
CLUSTERS = tuple(cluster(nodes, *rate) for nodes in (FEW, MORE) for rate in RATES)
