"""The simulation's tables, as Markdown, by the names of their blocks in docs/scaling.md."""

from collections.abc import Callable, Mapping

from papers.tables import markdown
from workloads.clusters import CARRIERS, MESH, NATS, REDIS_CLUSTER

from scaling.demands import ASSUMPTIONS, Demand, first_to_give_way, list_demands
from scaling.limits import SAFE, fewest_servers, most, most_nodes
from scaling.loads import Load
from scaling.unit_costs import CarrierCosts, Curve, UnitCosts, copies_of

NODES = (3, 8, 24, 50, 100, 200, 500)
TOP_NODES = 500
AHEAD_NODES, AHEAD_RATE = (3, 8, 24), 1_000
"""As `backplane.py` measures it with the first two of them."""
SITE_EVENTS, SITE_BROWSERS = 100.0, 50.0
"""Of one node: a busy AWX node."""
EVERYWHERE = 5.0
INTERNET_EVENTS, INTERNET_BROWSERS = 100_000.0, 1_000_000.0
INTERNET_NODES = (50, 100, 200, 500)
FULLEST = 4
"""Parts of each carrier that are shown."""
INTERNET_SERVERS = 12
"""Masters of the Redis Cluster, or servers of NATS."""


def blocks(costs: UnitCosts) -> dict[str, str]:
    """All tables by the names of their blocks."""
    return {
        "costs": costs_table(costs),
        "ahead": ahead_table(costs),
        "assumptions": ASSUMPTIONS,
        "site": site_table(costs),
        "everything": everything_table(costs),
        "servers": servers_table(costs),
        "reach": reach_table(costs),
        "internet": internet_table(costs),
        "stay": stay_table(costs),
    }


ENGINE_NAMES = {REDIS_CLUSTER: "masters", NATS: "NATS servers"}
TITLES: Mapping[str, str] = {
    "costs": "Unit costs",
    "ahead": f"CPU us an event of one node that all others want, at {AHEAD_RATE:,} events a second",
    "assumptions": "Assumptions",
    "site": f"Nodes with {SITE_EVENTS:g} events a second and {SITE_BROWSERS:g} browsers each, an event to 10 browsers",
    "everything": f"The same, when all nodes want all events: each goes to {EVERYWHERE:g} browsers a node",
    "servers": "How many masters or servers of NATS these nodes need",
    "reach": "The most that is safe: events a second of all nodes, 10 browsers an event",
    "internet": f"Internet scale: {INTERNET_BROWSERS:,.0f} browsers, {INTERNET_EVENTS:,.0f} events a second",
    "stay": "Internet scale: browsers, by how long one stays in a group",
}


def site(nodes: int, watchers: float = 10) -> Load:
    """Like nodes, however many."""
    return Load(nodes=nodes, events=SITE_EVENTS * nodes, browsers=SITE_BROWSERS * nodes, watchers=watchers)


def everything(nodes: int) -> Load:
    """Dashboards: some browsers of each node look at the same."""
    return Load(nodes=nodes, events=SITE_EVENTS * nodes, browsers=SITE_BROWSERS * nodes, watchers=EVERYWHERE * nodes)


def internet(nodes: int) -> Load:
    return Load(nodes=nodes, events=INTERNET_EVENTS, browsers=INTERNET_BROWSERS, engine_servers=INTERNET_SERVERS)


def costs_table(costs: UnitCosts) -> str:
    """What the simulation begins with."""
    lines = [["CPU us an event", *CARRIERS]]
    for name, words in (
        ("sender", "sender, to 2 and to 7 other nodes"),
        ("receiver", "receiver"),
        ("redis", "the sender's Redis"),
        ("onward", "a receiver's Redis and dialler"),
        ("engine", "engine, 2 and 7 subscribers"),
    ):
        cells = [curve_words(getattr(costs.carriers[carrier], name)) for carrier in CARRIERS]
        lines.append([f"{words}, at 100 / 1,000 / flat out", *cells])
    others = (
        ("one more browser's frame, CPU us", costs.frame_us),
        ("who wants what, at whoever hears it: by a link, through an engine, CPU us", costs.notice_us, costs.want_us),
        ("the same at the engine, a subscriber, CPU us", costs.control_us),
        ("memory: a browser, KiB; a link, KiB; a process, MiB", costs.browser_kib, costs.link_kib, costs.process_mib),
    )
    rest = [["else", ""], *([words, ", ".join(f"{value:.3g}" for value in values)] for words, *values in others)]
    where = ", ".join(costs.about[name] for name in ("date", "machine") if name in costs.about)
    return f"{where}.\n\n{markdown(lines)}\n\n{markdown(rest)}"


def curve_words(curve: Curve | None) -> str:
    if curve is None:
        return ""
    return " / ".join(line_words(line.at(2), line.at(7)) for line in curve.lines)


def line_words(few: float, more: float) -> str:
    return f"{few:.0f}" if abs(more - few) < 0.5 else f"{few:.0f} to {more:.0f}"


def ahead_table(costs: UnitCosts) -> str:
    """What no bench of one machine can run, beside what it can."""
    lines = [["nodes", *(f"{carrier}: sender, a receiver, engine" for carrier in CARRIERS)]]
    for nodes in AHEAD_NODES:
        lines.append([str(nodes), *(ahead_words(costs.carriers[carrier], carrier, nodes) for carrier in CARRIERS)])
    return markdown(lines)


def ahead_words(own: CarrierCosts, carrier: str, nodes: int) -> str:
    copies = copies_of(carrier, nodes)
    curves = [own.sender, own.receiver, *([own.engine] if own.engine else [])]
    return ", ".join(f"{curve.at(AHEAD_RATE, copies):.0f}" for curve in curves)


def site_table(costs: UnitCosts) -> str:
    return nodes_table(costs, site)


def everything_table(costs: UnitCosts) -> str:
    return nodes_table(costs, everything)


def nodes_table(costs: UnitCosts, make: Callable[[int], Load]) -> str:
    """What is fullest, by the number of nodes; and how many nodes are safe."""
    lines = [["nodes", "events/s", *(f"{carrier}: fullest" for carrier in CARRIERS)]]
    for nodes in NODES:
        load = make(nodes)
        cells = [fullest_words(first_to_give_way(costs, carrier, load)) for carrier in CARRIERS]
        lines.append([str(nodes), f"{load.events:,.0f}", *cells])
    safe = [most_nodes(costs, carrier, make, TOP_NODES) for carrier in CARRIERS]
    lines.append([f"**safe: {SAFE:.0%} at most**", "", *(f"**{found} nodes**" for found in safe)])
    return markdown(lines)


def fullest_words(demand: Demand) -> str:
    return f"{percent(demand.share)}: {demand.part}"


def percent(share: float) -> str:
    """Two digits of it."""
    return f"{100 * share:.2g} %" if share < 0.095 else f"{100 * share:,.0f} %"


def servers_table(costs: UnitCosts) -> str:
    """How large an engine has to be, and how many connections there are."""
    engines = [carrier for carrier in CARRIERS if carrier != MESH]
    head = ["nodes", "links of a mesh", "clients of an engine"]
    for words in ("10 browsers an event", "all nodes want all"):
        head += [f"{ENGINE_NAMES[engine]}, {words}" for engine in engines]
    lines = [head]
    for nodes in NODES:
        needed = [fewest_servers(costs, engine, make(nodes)) for make in (site, everything) for engine in engines]
        cells = [str(found) if found else "more do not help" for found in needed]
        lines.append([str(nodes), f"{nodes * (nodes - 1):,}", f"{2 * nodes:,}", *cells])
    return markdown(lines)


def reach_table(costs: UnitCosts) -> str:
    """By nodes; browsers in the ratio of the site's nodes."""
    lines = [["nodes", *CARRIERS]]
    for nodes in NODES:
        cells = []
        for carrier in CARRIERS:
            limit = most(costs, carrier, lambda factor, nodes=nodes: site(nodes).times(factor))  # type: ignore[misc]
            cells.append(f"{round_down(limit.most * SITE_EVENTS * nodes)}: {limit.demand.part}")
        lines.append([str(nodes), *cells])
    return markdown(lines)


def internet_table(costs: UnitCosts) -> str:
    """Every part that is past what is safe with some number of nodes, and what else is worth a look."""
    lines = [["carrier", "part", *(f"{nodes} nodes" for nodes in INTERNET_NODES)]]
    for carrier in CARRIERS:
        columns = [list_demands(costs, carrier, internet(nodes)) for nodes in INTERNET_NODES]
        rows = sorted(zip(*columns, strict=True), key=lambda row: -max(demand.share for demand in row))
        for row in rows[:FULLEST]:
            lines.append([carrier, row[0].part, *(mark(percent(demand.share), demand.share) for demand in row)])
    return markdown(lines)


def mark(words: str, share: float) -> str:
    return f"**{words}**" if share > SAFE else words


def stay_table(costs: UnitCosts) -> str:
    """How many browsers, with the events that go with them, by what one does with its pages."""
    nodes = INTERNET_NODES[1]
    lines = [["a browser stays, s", *(f"{carrier}, {nodes} nodes: browsers" for carrier in CARRIERS)]]
    for stay in (60, 600, 3600):
        cells = []
        for carrier in CARRIERS:
            limit = most(costs, carrier, lambda factor, stay=stay: stayed(nodes, stay).times(factor))  # type: ignore[misc]
            cells.append(f"{round_down(limit.most * INTERNET_BROWSERS)}: {limit.demand.part}")
        lines.append([f"{stay:,}", *cells])
    return markdown(lines)


def stayed(nodes: int, stay: float) -> Load:
    return Load(**{**vars(internet(nodes)), "stay_s": stay})


def round_down(value: float) -> str:
    """Two digits: what was measured has no more."""
    text = f"{value:.0f}"
    kept = int(text[:2].ljust(2, "0")) * 10 ** max(0, len(text) - 2) if len(text) > 2 else int(text)
    return f"{kept:,}"


def load_table(costs: UnitCosts, load: Load) -> str:
    """All demands of one load, each carrier's."""
    lines = [["carrier", "part", "used", "of", "", "%"]]
    for carrier in CARRIERS:
        for demand in list_demands(costs, carrier, load):
            used, limit = (f"{value:,.3g}" for value in (demand.used, demand.limit))
            lines.append([carrier, demand.part, used, limit, demand.unit, mark(percent(demand.share), demand.share)])
    return markdown(lines)
