"""What a cluster is asked to carry, and what follows from that for one of its nodes."""

from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, kw_only=True)
class Load:
    """`events` and `browsers` of all nodes together; all of them are spread evenly and by chance."""

    nodes: int
    events: float
    """A second, of all nodes together."""
    browsers: float
    watchers: float = 10
    """Browsers that an event goes to."""
    stay_s: float = 60
    """Seconds after which a browser leaves one group for another: a page is left, a job ends."""
    size: int = 4096
    """Bytes of an event."""
    engine_servers: int = 3
    """Masters of a Redis Cluster, each with a replica; servers of NATS."""

    def times(self, factor: float) -> Self:
        """The same with so many times the events and the browsers."""
        return replace(self, events=self.events * factor, browsers=self.browsers * factor)

    @property
    def wanting(self) -> float:
        """Other nodes that want an event: those where at least one of its watchers is."""
        return (self.nodes - 1) * (1 - (1 - 1 / self.nodes) ** self.watchers)

    @property
    def wanted_elsewhere(self) -> float:
        """The share of events that any other node wants."""
        return 1 - (1 / self.nodes) ** self.watchers

    @property
    def sent(self) -> float:
        """Events a second that one node has for others."""
        return self.events * self.wanted_elsewhere / self.nodes

    @property
    def received(self) -> float:
        """Events a second that come to one node from others: as many as copies leave it, by symmetry."""
        return self.events * self.wanting / self.nodes

    @property
    def frames(self) -> float:
        """To one node's browsers, a second."""
        return self.events * self.watchers / self.nodes

    @property
    def groups(self) -> float:
        """Each browser looks at one."""
        return self.browsers / self.watchers

    @property
    def wanted_pairs(self) -> float:
        """Nodes times groups that they want, in all."""
        return self.groups * self.nodes * (1 - (1 - 1 / self.nodes) ** self.watchers)

    @property
    def changes(self) -> float:
        """Groups that become wanted at a node, or no longer are, a second in all nodes.

        A browser that leaves and comes counts where it is the only one of its node in that group.
        """
        alone = (1 - 1 / self.nodes) ** (self.watchers - 1)
        return 2 * self.browsers / self.stay_s * alone
