"""What the backplane's benchmark measures: each workload once."""

from dataclasses import dataclass

from workloads.timed import Timed

BOTH = ("stock-like", "awxfast")
AWXFAST = ("awxfast",)
EVENT = 4096
MANY = 24


@dataclass(frozen=True, kw_only=True)
class LinkLoad(Timed):
    """Events over links, seen from one of their ends. `rate` in events a second, 0: flat out; times in seconds."""

    part: str
    """What is measured: `dialler` or `node`, the server."""
    way: str
    """`out`: its own Redis to its peers; `in`: a peer's events to those who wait for them here."""
    kinds: tuple[str, ...] = BOTH
    links: int = 1
    rate: float = 0
    seconds: float = 5

    @property
    def era(self) -> str:
        """The dialler sends in the relay era and receives in the broadcast era, the server the other way round."""
        return "relay" if (self.part == "dialler") == (self.way == "out") else "broadcast"


@dataclass(frozen=True, kw_only=True)
class NodeToNode(Timed):
    """An event put into one node's Redis, to a browser on another node; both nodes of one kind, relay era."""

    rate: float
    kinds: tuple[str, ...] = BOTH
    seconds: float = 6
    warm_up: float = 1


Workload = LinkLoad | NodeToNode

WAYS = (
    ("dialler", "out", "The dialler, relay era: its Redis to a peer"),
    ("dialler", "in", "The dialler, broadcast era: a peer to its Redis"),
    ("node", "out", "The server, broadcast era: its Redis to a dialler"),
    ("node", "in", "The server, relay era: a dialler to a browser here"),
)
RATES = ((500, "500 events a second"), (5000, "5,000 events a second"), (0, "flat out"))


def one_link(part: str, way: str, title: str, rate: float, words: str) -> LinkLoad:
    kinds = AWXFAST if rate > 1000 else BOTH  # more than one of the other kind can do
    name = f"{part}-{way}-{rate or 'flat'}"
    return LinkLoad(name=name, title=f"{title}, {words}, 4 KiB", part=part, way=way, rate=rate, kinds=kinds)


def many_links(part: str, title: str, rate: float, words: str) -> LinkLoad:
    return LinkLoad(
        name=f"{part}-{MANY}-{rate or 'flat'}",
        title=f"{title}, {MANY} of them, {words}, 4 KiB",
        part=part,
        way="out",
        rate=rate,
        kinds=AWXFAST,
        links=MANY,
    )


WORKLOADS: tuple[Workload, ...] = (
    *(one_link(*way, *rate) for way in WAYS for rate in RATES),
    *(many_links(part, title, *rate) for part, way, title in WAYS if way == "out" for rate in RATES),
    *(
        NodeToNode(name=f"latency-{rate}", title=f"Node to node, {rate:,} events a second, 4 KiB", rate=rate)
        for rate in (100, 1000)
    ),
)
