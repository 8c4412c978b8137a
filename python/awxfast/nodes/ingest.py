"""A peer's events in: to this process's sockets and consumers at once, then on to whoever else there is in Redis."""

import asyncio
import logging

from awxfast.engine.arrivals import ConsumerTaker
from awxfast.intake.caught_up import CaughtUp
from awxfast.nodes.takers import RedisTaker, SocketTaker, Source
from awxfast.wire.backplane import Fault, StoredMetrics, read_metrics

log = logging.getLogger(__name__)

ONWARD_WAIT = 1.0
"""Seconds to wait at most for what goes on into Redis, which tells when it has caught up."""


class Ingest:
    """For the links of all peers. `consumers`: None without an application. `caught_up` is told by all takers."""

    def __init__(
        self, fanout: SocketTaker, onward: RedisTaker, consumers: ConsumerTaker | None, caught_up: CaughtUp
    ) -> None:
        self._fanout = fanout
        self._onward = onward
        self._consumers = consumers
        self._caught_up = caught_up
        self._held: set[Source] = set()
        self._holding: asyncio.Task[None] | None = None

    def receive(self, frames: list[bytes], source: Source) -> bool:
        """Takes what a link sent, and holds the link back while takers are behind. False: a frame is not the wire's."""
        malformed, metrics, events = self._fanout.publish_relayed(frames)
        for text in metrics:
            self._store(text)
        if self._consumers is not None:
            for group, text_bytes, _, consumers in events:
                if consumers is not None:
                    self._consumers.take_relayed(group, text_bytes, consumers)
        if events:
            self._onward.offer([(group, text_bytes, taken) for group, text_bytes, taken, _ in events])
        if self._wait_time() > 0:
            self._hold_back(source)
        return not malformed

    def forget(self, source: Source) -> None:
        """The link is gone."""
        self._held.discard(source)

    def stop(self) -> None:
        """No link is left."""
        if self._holding is not None:
            self._holding.cancel()

    def _store(self, text: str) -> None:
        metrics = read_metrics(text)
        if isinstance(metrics, StoredMetrics):
            self._onward.store(metrics.key, metrics.value)
        else:
            assert isinstance(metrics, Fault)
            self._fanout.count_gap("peer_metrics", 0)

    def _wait_time(self) -> float:
        takers = self._fanout if self._consumers is None else self._consumers
        return takers.wait_time() or (ONWARD_WAIT if self._onward.is_full else 0.0)

    def _hold_back(self, source: Source) -> None:
        source.pause_reading()
        self._held.add(source)
        if self._holding is None:
            self._holding = asyncio.get_running_loop().create_task(self._release_later())

    async def _release_later(self) -> None:
        while (seconds := self._wait_time()) > 0:
            await self._caught_up.wait(seconds)
        self._holding = None
        held, self._held = self._held, set()
        for source in held:
            source.resume_reading()
