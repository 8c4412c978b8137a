"""The nodes that dialled this one: what operators see of them. Their number is bounded by who holds the secret."""

import collections
import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Protocol

KEPT_SECONDS = 60.0
"""How long a node that is gone is still shown."""
FOLD_SECONDS = 1.0
"""How long after a link's end its figures may still change, in the thread that wrote to it."""


class LinkFigures(Protocol):
    """What was written to one link (the fan-out)."""

    def read(self) -> tuple[int, int, int, int]:
        """Frames written, their bytes, frames shed, frames that wait."""


@dataclasses.dataclass(slots=True)
class Written:
    """A sum of what links were sent."""

    frames: int = 0
    bytes: int = 0
    shed: int = 0
    pending: int = 0

    def add(self, figures: LinkFigures) -> None:
        """Adds one link's."""
        frames, size, shed, pending = figures.read()
        self.frames += frames
        self.bytes += size
        self.shed += shed
        self.pending += pending


class Peer:
    """All links from one address. Behind a proxy that is the proxy's, unless its headers are trusted."""

    def __init__(self, host: str, now: Callable[[], float]) -> None:
        self.host = host
        self.received = 0
        self.received_bytes = 0
        self.skew: int | None = None
        self.old_secret = False
        self.last_error = ""
        self.refused = False
        self._now = now
        self._touched = now()
        self._links: dict[LinkFigures, str] = {}
        self._ended: list[tuple[float, LinkFigures]] = []
        self._past = Written()

    @property
    def state(self) -> str:
        """`connected`, `refused`, or `gone`."""
        return "connected" if self._links else "refused" if self.refused else "gone"

    @property
    def eras(self) -> list[str]:
        """Which wires its links speak."""
        return sorted(set(self._links.values()))

    @property
    def links(self) -> int:
        """How many there are now."""
        return len(self._links)

    @property
    def is_stale(self) -> bool:
        """Whether it is gone for so long that it is shown no more."""
        return not self._links and self._now() - self._touched > KEPT_SECONDS

    def connect(self, figures: LinkFigures, era: str) -> None:
        """A link can be used."""
        self._links[figures] = era
        self.refused = False

    def disconnect(self, figures: LinkFigures) -> None:
        """It is gone."""
        del self._links[figures]
        self._touched = self._now()
        self._ended.append((self._touched, figures))

    def refuse(self, why: str) -> None:
        """A handshake that was signed with the secret was refused."""
        self.refused = True
        self.last_error = why
        self._touched = self._now()

    def receive(self, frames: int, size: int) -> None:
        """It sent so many frames, with so many bytes together."""
        self.received += frames
        self.received_bytes += size

    def fold(self) -> None:
        """Adds up what links that are gone were sent."""
        before = self._now() - FOLD_SECONDS
        while self._ended and self._ended[0][0] < before:
            self._past.add(self._ended.pop(0)[1])
        self._past.pending = 0

    def written(self) -> Written:
        """What all its links were sent."""
        total = dataclasses.replace(self._past)
        for figures in [*self._links, *(figures for _, figures in self._ended)]:
            total.add(figures)
        return total


class Peers:
    """All of them. `gone` sums up, by direction, what those that are shown no more had received and sent."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._peers: collections.OrderedDict[str, Peer] = collections.OrderedDict()
        self.gone = {"received": 0, "sent": 0}

    def __iter__(self) -> Iterator[Peer]:
        return iter(self._peers.values())

    def at(self, host: str) -> Peer:
        """The peer at this address."""
        peer = self._peers.get(host)
        if peer is None:
            peer = self._peers[host] = Peer(host, self._now)
        return peer

    def sweep(self) -> None:
        """Forgets those that have been gone for long enough; their totals stay."""
        for peer in list(self):
            peer.fold()
            if peer.is_stale:
                self.gone["received"] += peer.received
                self.gone["sent"] += peer.written().frames
                del self._peers[peer.host]
