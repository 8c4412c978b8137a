"""What AWX's own tools read in Redis about links: Prometheus text under one key.

It is what awx/main/analytics/broadcast_websocket.py writes: the figures of a node that was dialled, by its hostname.
In a metric's name all that is no letter or digit is `_`.
"""

import collections
import dataclasses
import re
import time
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, StateSetMetricFamily
from prometheus_client.registry import Collector

from awxfast.broadcast.dialled_peer import DialledPeer

KEY = "broadcast_websocket_stats"
INTERVAL = 5.0
"""Seconds between two writes, as stock's."""
WINDOW = 60.0

HELP = "Frames received, of any kind, from "
"""Before the hostname, which the metric's name does not give back."""

_UNSAFE = re.compile(r"[^0-9A-Za-z]+")


@dataclasses.dataclass(slots=True)
class HostFigures:
    """One host's links, all ports together."""

    host: str
    received: int = 0
    this_connection: int = 0
    connected: bool = False
    connected_at: float = 0.0
    per_minute: int = 0

    def add(self, peer: DialledPeer, per_minute: int) -> None:
        """Adds one link to the sums."""
        self.received += peer.counts.received
        self.per_minute += per_minute
        self.connected_at = max(self.connected_at, peer.connected_at)
        if peer.up:
            self.connected = True
            self.this_connection += peer.counts.received - peer.received_before


class Statistics:
    """Makes the text, once an interval: the rate a minute needs the looks before."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._created = time.time()
        self._looks: dict[tuple[str, int], collections.deque[tuple[float, int]]] = {}

    def text(self, peers: Iterable[DialledPeer]) -> str:
        """For the key in Redis. Hosts whose names become the same in a metric's name stand there as one."""
        peers = list(peers)
        gone = self._looks.keys() - {peer.member.key for peer in peers}
        for key in gone:
            del self._looks[key]
        hosts: dict[str, HostFigures] = {}
        for peer in peers:
            figures = hosts.setdefault(safe_name(peer.member.name), HostFigures(peer.member.name))
            figures.add(peer, self._look(peer))
        registry = CollectorRegistry(auto_describe=False)
        registry.register(HostsCollector(hosts, self._created))
        return generate_latest(registry).decode()

    def _look(self, peer: DialledPeer) -> int:
        """How many frames came within the last minute."""
        now = self._now()
        looks = self._looks.setdefault(peer.member.key, collections.deque([(now, peer.counts.received)]))
        while len(looks) > 1 and looks[1][0] <= now - WINDOW:
            looks.popleft()
        looks.append((now, peer.counts.received))
        return peer.counts.received - looks[0][1]


class HostsCollector(Collector):
    """The metrics of all hosts."""

    def __init__(self, hosts: dict[str, HostFigures], created: float) -> None:
        self._hosts = hosts
        self._created = created

    def collect(self) -> Iterator[Metric]:
        """All hosts' figures, as prometheus_client asks a collector for them."""
        for name, figures in self._hosts.items():
            yield from collect_host(f"awx_{name}", figures, self._created)


def collect_host(prefix: str, figures: HostFigures, created: float) -> Iterator[Metric]:
    """One host's, under the names that AWX gives them, its spelling included."""
    yield CounterMetricFamily(
        f"{prefix}_messages_received", HELP + figures.host, float(figures.received), created=created
    )
    yield GaugeMetricFamily(
        f"{prefix}_messages_received_currrent_conn", "Frames received on this link.", float(figures.this_connection)
    )
    yield StateSetMetricFamily(
        f"{prefix}_connection",
        "Whether the link is there.",
        {"disconnected": not figures.connected, "connected": figures.connected},
    )
    yield GaugeMetricFamily(f"{prefix}_connection_start", "When it was opened, Unix time.", figures.connected_at)
    yield GaugeMetricFamily(
        f"{prefix}_messages_received_per_minute", "Frames received in the last 60 s.", float(figures.per_minute)
    )


def safe_name(host: str) -> str:
    """As a part of a metric's name."""
    return _UNSAFE.sub("_", host)
