"""How far a cluster goes: the most of something before a part of it has no room to breathe any more."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from scaling.demands import ENGINE_PARTS, Demand, first_to_give_way, list_demands
from scaling.loads import Load
from scaling.unit_costs import UnitCosts

SAFE = 0.7
"""Of what a part has; past it bursts wait."""
STEPS = 60
MOST_SERVERS = 200


@dataclass(frozen=True)
class Limit:
    """The most that is safe, and what gives way first."""

    most: float
    demand: Demand


def most(costs: UnitCosts, carrier: str, make: Callable[[float], Load], top: float = 1e9) -> Limit:
    """Of what `make` makes loads of, by halves of what lies between."""
    low, high = 0.0, top
    for _ in range(STEPS):
        middle = (low + high) / 2
        if first_to_give_way(costs, carrier, make(middle)).share > SAFE:
            high = middle
        else:
            low = middle
    return Limit(low, first_to_give_way(costs, carrier, make(high)))


def most_nodes(costs: UnitCosts, carrier: str, make: Callable[[int], Load], top: int) -> int:
    """Of 2 to `top`; 0 where even two are too many. One more may also help the others, so each number is looked at."""
    safe = [nodes for nodes in range(2, top + 1) if first_to_give_way(costs, carrier, make(nodes)).share <= SAFE]
    return max(safe, default=0)


def fewest_servers(costs: UnitCosts, carrier: str, load: Load) -> int | None:
    """Of an engine, so that none of it is too full; None where more of them do not help."""
    for servers in range(3, MOST_SERVERS + 1):
        demands = list_demands(costs, carrier, replace(load, engine_servers=servers))
        if all(demand.share <= SAFE for demand in demands if demand.part in ENGINE_PARTS):
            return servers
    return None
