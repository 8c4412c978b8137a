"""The servers of a NATS cluster: those that the address names, and those that the cluster tells of."""

import ipaddress
import random
from collections import deque
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from awxfast.engine.address import HostPort

MOST_TOLD = 20
"""Servers that the cluster tells of, of which we make a note: one that lies keeps us busy with so many."""
LONGEST_HOST = 253


class NatsServers:
    """In the order in which they are to be tried: at random, and the one that was tried last comes last."""

    def __init__(self, named: Sequence[HostPort]) -> None:
        self._named = tuple(named)
        self._turn = deque(random.sample(self._named, len(self._named)))

    def __len__(self) -> int:
        return len(self._turn)

    def take_next(self) -> HostPort:
        """The one to try now."""
        place = self._turn[0]
        self._turn.rotate(-1)
        return place

    def learn(self, told: Iterable[object]) -> None:
        """Which there are besides, as `host:port`: all that the cluster has now. What is not readable is left out.

        They come behind those that are named, and before the one that was tried last.
        """
        places = [place for text in list(told)[:MOST_TOLD] if (place := _read_place(text)) is not None]
        kept = [place for place in self._turn if place in self._named or place in places]
        fresh = [place for place in dict.fromkeys(places) if place not in kept]
        random.shuffle(fresh)
        self._turn = deque([*kept[:-1], *fresh, *kept[-1:]])

    def name_for_certificate(self, place: HostPort) -> str:
        """Whom its certificate has to name: a server that the cluster tells of by its address alone has another's."""
        if place in self._named or not _is_address(place[0]):
            return place[0]
        return self._named[0][0]


def _read_place(text: object) -> HostPort | None:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    is_host = isinstance(text, str) and host and len(host) <= LONGEST_HOST and host.isprintable()
    return (host, port) if is_host and host and port else None


def _is_address(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return False
