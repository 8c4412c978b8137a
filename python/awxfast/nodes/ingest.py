"""A peer's events in: to this process's sockets and consumers at once, then on to whoever else there is in Redis."""

import asyncio
import logging

from awxfast.nodes.takers import Consumers, Fanout, Onward, Source
from awxfast.wire.backplane import Fault, StoredMetrics, read_metrics

log = logging.getLogger(__name__)

HOLD_STEP = 0.001
"""Seconds between two looks whether the fan-out has caught up."""


class Ingest:
    """For the links of all peers. `consumers`: None without an application."""

    def __init__(self, fanout: Fanout, onward: Onward, consumers: Consumers | None) -> None:
        self._fanout = fanout
        self._onward = onward
        self._consumers = consumers
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
        if self._is_behind():
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

    def _is_behind(self) -> bool:
        takers = self._fanout if self._consumers is None else self._consumers
        return takers.busy() or self._onward.is_full

    def _hold_back(self, source: Source) -> None:
        source.pause_reading()
        self._held.add(source)
        if self._holding is None:
            self._holding = asyncio.get_running_loop().create_task(self._release_later())

    async def _release_later(self) -> None:
        while self._is_behind():  # noqa: ASYNC110  neither tells when it has caught up
            await asyncio.sleep(HOLD_STEP)
        self._holding = None
        held, self._held = self._held, set()
        for source in held:
            source.resume_reading()
