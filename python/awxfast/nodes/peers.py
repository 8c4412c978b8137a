"""The nodes that dialled this one: what operators see of them.

Who is one is told by the address. A header of the cluster's that was copied comes from as many as its owner likes.
"""

import collections
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

KEPT_SECONDS = 60.0
"""How long a node that is gone is still shown."""
FOLD_SECONDS = 1.0
"""How long after a link's end its figures may still change, in the thread that wrote to it."""


MOST_PEERS = 1_000
"""More than any cluster has."""
OTHERS = "others"
"""Stands for those that are linked beyond it."""


class LinkFigures(Protocol):
    """What was written to one link (the fan-out)."""

    def read(self) -> tuple[int, int, Mapping[str, int], int]:
        """Frames written, their bytes, frames that it did not get by reason, frames that wait."""


@dataclasses.dataclass(slots=True)
class Written:
    """A sum of what links were sent."""

    frames: int = 0
    bytes: int = 0
    pending: int = 0
    lost: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)

    def add(self, figures: LinkFigures) -> None:
        """Adds the figures of one link."""
        frames, size, lost, pending = figures.read()
        self.frames += frames
        self.bytes += size
        self.lost.update(lost)
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
        self.sessions = 0
        """Links that are there, begin or end."""
        self._now = now
        self._touched = now()
        self._links: dict[LinkFigures, str] = {}
        self._ended: collections.deque[tuple[float, LinkFigures]] = collections.deque()
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
    def is_idle(self) -> bool:
        """Whether it is not linked, and is not about to be."""
        return not self._links and not self.sessions

    @property
    def is_stale(self) -> bool:
        """Whether it is gone for so long that it is shown no more."""
        return self.is_idle and self._now() - self._touched > KEPT_SECONDS

    def connect(self, figures: LinkFigures, era: str) -> None:
        """A link can be used."""
        self._links[figures] = era
        self.refused = False

    def disconnect(self, figures: LinkFigures) -> None:
        """A link is gone; its figures still count."""
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
            self._past.add(self._ended.popleft()[1])
        self._past.pending = 0

    def written(self) -> Written:
        """What all its links were sent."""
        total = self._sum_ended()
        for figures in self._links:
            total.add(figures)
        return total

    def _sum_ended(self) -> Written:
        total = dataclasses.replace(self._past, lost=self._past.lost.copy())
        for _, figures in self._ended:
            total.add(figures)
        return total

    def freeze(self) -> dict[str, Any]:
        """All that is known of it but its links, which go on counting in another process; as JSON has it."""
        past = self._sum_ended()
        return {
            "host": self.host,
            "received": [self.received, self.received_bytes],
            "sent": [past.frames, past.bytes, past.lost],
            "signed": [self.skew, self.old_secret],
            "trouble": [self.last_error, self.refused],
            "touched": self._touched,
        }

    def resume(self, frozen: Mapping[str, Any]) -> None:
        """Goes on where `freeze` was called in the process before this one."""
        self.received, self.received_bytes = frozen["received"]
        frames, size, lost = frozen["sent"]
        self._past = Written(frames, size, lost=collections.Counter(lost))
        self.skew, self.old_secret = frozen["signed"]
        self.last_error, self.refused = frozen["trouble"]
        self._touched = frozen["touched"]


class Peers:
    """Who dialled this node, at most `MOST_PEERS`. Plain attributes sum up what those that are shown no more had."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._peers: dict[str, Peer] = {}
        self.received = self.sent = 0
        self.lost: collections.Counter[str] = collections.Counter()

    def __iter__(self) -> Iterator[Peer]:
        return iter(self._peers.values())

    def at(self, host: str) -> Peer:
        """The peer at this address, which links: it takes the place of one that does not."""
        return self.find(host) or self._make_room(host) or self._peers.setdefault(OTHERS, Peer(OTHERS, self._now))

    def find(self, host: str) -> Peer | None:
        """The same for one that is refused; None when there are enough."""
        if host not in self._peers and len(self._peers) < MOST_PEERS:
            self._peers[host] = Peer(host, self._now)
        return self._peers.get(host)

    def freeze(self) -> dict[str, Any]:
        """All of them, for another process."""
        return {"peers": [peer.freeze() for peer in self], "gone": [self.received, self.sent, self.lost]}

    def inherit(self, frozen: Mapping[str, Any]) -> None:
        """What `freeze` gave in the process before this one."""
        for one in frozen["peers"]:
            self._peers[one["host"]] = peer = Peer(one["host"], self._now)
            peer.resume(one)
        self.received, self.sent, lost = frozen["gone"]
        self.lost.update(lost)

    def sweep(self) -> Iterator[bool]:
        """Forgets those that have been gone for long enough; their totals stay."""
        for peer in list(self._peers.values()):
            peer.fold()
            is_stale = peer.is_stale and self._peers.get(peer.host) is peer
            if is_stale:
                self._forget(peer)
            yield is_stale

    def _make_room(self, host: str) -> Peer | None:
        idle = next((peer for peer in self._peers.values() if peer.is_idle and peer.host != OTHERS), None)
        if idle is None:
            return None
        self._forget(idle)
        return self.find(host)

    def _forget(self, peer: Peer) -> None:
        written = peer.written()
        self.received += peer.received
        self.sent += written.frames
        self.lost.update(written.lost)
        del self._peers[peer.host]
