"""What one event, frame, notice or link costs, as benches measured it: read from and written to `costs.json`.

`take_report` makes them of what `backplane.py --json` and `relay.py --json` wrote; no figure is typed by hand.
"""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from papers.tables import collect
from workloads.clusters import CARRIERS, FEW, MESH, MORE, NATS

FILE = Path(__file__).with_name("costs.json")
RATES = ("100", "1000", "flat")
ENGINE_SERVERS = {"redis-cluster": 3, "nats": 3}
"""That carry events in the bench; a Redis Cluster's replicas are in its masters' figures."""
Report = Mapping[str, Any]


@dataclass(frozen=True)
class Line:
    """CPU microseconds of an event at one rate: so many, and so many more for each copy of it."""

    rate: float
    base: float
    copy: float = 0.0

    def at(self, copies: float) -> float:
        return self.base + self.copy * copies


@dataclass(frozen=True)
class Curve:
    """The same at every rate: the busier a process, the more events share its wake-ups and system calls."""

    lines: tuple[Line, ...]

    def at(self, rate: float, copies: float = 0.0) -> float:
        """Between two measured rates by the rate's logarithm; beyond the ends as at the end."""
        below = [line for line in self.lines if line.rate <= rate]
        above = [line for line in self.lines if line.rate > rate]
        if not below or not above:
            return (below or above)[-1 if below else 0].at(copies)
        low, high = below[-1], above[0]
        share = math.log(rate / low.rate) / math.log(high.rate / low.rate)
        return low.at(copies) * (1 - share) + high.at(copies) * share


@dataclass(frozen=True)
class CarrierCosts:
    """What events cost the parts that take part in one way between nodes."""

    sender: Curve
    """The dialler's, an event that it sends; a copy is a link of the mesh."""
    receiver: Curve
    """The server's, an event that comes; one browser's frame is in it."""
    redis: Curve
    """The sending node's own Redis."""
    onward: Curve
    """A receiving node's Redis and dialler: what a link brings goes into Redis for others, and the dialler is one."""
    engine: Curve | None
    """All of the engine's servers; a copy is a subscriber, for NATS also a route."""


@dataclass(frozen=True)
class UnitCosts:
    """All that the simulation knows of this machine."""

    about: Mapping[str, str]
    carriers: Mapping[str, CarrierCosts]
    frame_us: float
    """A frame to one more browser."""
    browser_kib: float
    link_kib: float
    """A mesh link's memory, in the dialler."""
    process_mib: float
    """A server or dialler without browsers and links."""
    notice_us: float
    """One group wanted or no longer, at whoever is told by a mesh link."""
    want_us: float
    """The same by an engine's control channel."""
    control_us: float
    """An engine's server: a control message to one subscriber."""


def fitted(rate: float, few: float, more: float, copies: tuple[float, float]) -> Line:
    """Through what was measured with few nodes and with more; noise makes no copy cheaper than nothing."""
    copy = max(0.0, (more - few) / (copies[1] - copies[0]))
    return Line(rate, max(0.0, few - copy * copies[0]) if copy else (few + more) / 2, copy)


def copies_of(kind: str, nodes: int) -> float:
    """Subscribers of an event that every other node wants, and routes of NATS to the servers where they are."""
    others = nodes - 1
    return others + min(ENGINE_SERVERS[NATS] - 1, others) if kind == NATS else others


def median(report: Report, workload: str, kind: str, figure: str) -> float | None:
    values = collect(figure, report["results"].get(workload, {}).get(kind, ()))
    return statistics.median(values) if values else None


def take_curve(report: Report, kind: str, figure: str, copies: tuple[float, float]) -> list[dict[str, float]]:
    """Lines at all rates that were measured with both numbers of nodes."""
    found = []
    for rate in RATES:
        values = [median(report, f"nodes-{nodes}-{rate}", kind, figure) for nodes in (FEW, MORE)]
        made = median(report, f"nodes-{FEW}-{rate}", kind, "events_per_s")
        if made and None not in values:
            few, more = (value for value in values if value is not None)
            found.append(vars(fitted(made, few, more, copies)))
    return sorted(found, key=lambda line: line["rate"])


def take_carrier(report: Report, kind: str) -> dict[str, list[dict[str, float]]]:
    """Only a mesh's sender has copies to make; what a receiver and Redis do is the same for few nodes and many."""
    flat = (0.0, math.inf)
    measured = copies_of(kind, FEW), copies_of(kind, MORE)
    curves = {
        "sender": take_curve(report, kind, "sender_us_an_event", measured if kind == MESH else flat),
        "receiver": take_curve(report, kind, "receiver_us_an_event", flat),
        "redis": take_curve(report, kind, "redis_us_an_event", flat),
    }
    curves["onward"] = take_curve(report, kind, "onward_us_an_event", flat)
    if kind != MESH:
        curves["engine"] = take_curve(report, kind, "engine_us_an_event", measured)
    return curves


def take_report(report: Report) -> dict[str, Any]:
    """What a bench's report says of costs; it need not have all."""
    taken: dict[str, Any] = {"about": dict(report["about"])}
    carriers = {kind: take_carrier(report, kind) for kind in CARRIERS}
    if found := {kind: curves for kind, curves in carriers.items() if curves["sender"]}:
        taken["carriers"] = found
    links = [median(report, f"dialler-{name}-500", "awxfast", "measured_rss_mib") for name in ("out", "24")]
    if links[0] is not None and links[1] is not None:
        taken["link_kib"] = max(0.0, (links[1] - links[0]) * 1024 / 23)
    idle = median(report, "nodes-3-100", MESH, "sender_rss_mib")
    frame = median(report, "flat-out-1000-4k", "awxfast", "cpu_s_per_m")
    browser = median(report, "idle-1000", "awxfast", "rss_kib_a_client")
    known = {"process_mib": idle, "frame_us": frame, "browser_kib": browser}
    return taken | {name: value for name, value in known.items() if value is not None}


def merge(known: Mapping[str, Any], taken: Mapping[str, Any]) -> dict[str, Any]:
    """The newer of each."""
    carriers = {**known.get("carriers", {}), **taken.get("carriers", {})}
    return {**known, **taken, "carriers": carriers}


def read_costs(file: Path = FILE) -> UnitCosts:
    """Raises `KeyError` for one that lacks something."""
    return costs_of(json.loads(file.read_text()))


def costs_of(written: Mapping[str, Any]) -> UnitCosts:
    carriers = {
        kind: CarrierCosts(**{"engine": None, **curves_of(parts)}) for kind, parts in written["carriers"].items()
    }
    return UnitCosts(**{**written, "carriers": carriers})


def curves_of(parts: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Any]:
    return {name: Curve(tuple(Line(**line) for line in lines)) for name, lines in parts.items()}
