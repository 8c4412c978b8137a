"""A channel that is wanted of a cluster."""

import asyncio
import contextlib

from awxfast.engine.address import HostPort
from awxfast.engine.cluster_map import find_slot


class ClusterChannel:
    """One channel: where it is asked for, and whether that is confirmed."""

    __slots__ = ("awaited", "confirmed", "cut", "doubted", "hops", "key", "name", "slot", "waiters", "where")

    def __init__(self, name: str) -> None:
        self.name = name
        self.key = name.encode()
        self.slot = find_slot(self.key)
        self.where: HostPort | None = None
        self.awaited: HostPort | None = None
        """Where it is asked for, or will be once that is up."""
        self.confirmed = False
        self.cut = False
        self.doubted: float | None = None
        self.hops = 0
        self.waiters: list[asyncio.Future[None]] = []


def release(channel: ClusterChannel) -> None:
    """Whoever waits for it goes on."""
    waiters, channel.waiters = channel.waiters, []
    for waiter in waiters:
        with contextlib.suppress(asyncio.InvalidStateError):
            waiter.set_result(None)
