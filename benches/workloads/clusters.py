"""Whole clusters, mesh and engines beside each other: each workload once."""

from dataclasses import dataclass

from workloads.timed import Timed

MESH, REDIS_CLUSTER, NATS = "mesh", "redis-cluster", "nats"
CARRIERS = (MESH, REDIS_CLUSTER, NATS)
FEW, MORE = 3, 8
BURST = 6_000
"""Events flat out: fewer than any queue on the way holds (10,000 messages, 32 MiB of a subscriber of Redis)."""


@dataclass(frozen=True, kw_only=True)
class Cluster(Timed):
    """So many whole nodes; producers at the first, a browser on each of the others that wants all of it.

    `rate` in events a second, 0: flat out, then `BURST` events; `seconds` of it.
    """

    nodes: int
    rate: float
    kinds: tuple[str, ...] = CARRIERS
    seconds: float = 6
    warm_up: float = 1
    events: int = 0


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
