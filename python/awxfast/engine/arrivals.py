"""What an engine brings to this process: packets that are checked go to its sockets and consumers.

An engine can't be held back. While takers are behind messages wait here, and past a bound the oldest are lost, counted.
"""

import asyncio
import collections
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from awxfast.engine.packet_checks import PacketChecks
from awxfast.wire.backplane import StoredMetrics, read_metrics

log = logging.getLogger(__name__)

WAITING_MESSAGES = 10_000
WAITING_BYTES = 16_777_216
"""What may wait for takers that are behind, or for another process to leave what it had."""
TURN_MESSAGES = 256
"""Messages that takers are given before they are asked whether they are behind."""

Arrival = tuple[str, bytes]
"""A group, and a message of its channel."""


class SocketTaker(Protocol):
    """Who takes for this process's sockets, and counts: the fan-out."""

    def publish_packets(self, packets: list[tuple[str, bytes]]) -> tuple[list[str], list[tuple[str, bytes, bool]]]:
        """Takes the texts of packets; those of metrics, and what consumers get."""

    def wait_time(self) -> float:
        """Seconds to wait at most, since it is behind."""

    def count_gap(self, reason: str, at_most: int) -> None:
        """Counts a loss of so many events at most."""


class ConsumerTaker(Protocol):
    """Who takes for the application's consumers in this process."""

    def take_relayed(self, group: str, text: bytes, direct: bool) -> None:
        """An event of a group; `direct`: sockets have it already."""

    def wait_time(self) -> float:
        """Seconds to wait at most, since they, or the fan-out, are behind."""


class Arrivals:
    """Takes messages of groups. `consumers`: None without an application; `store` keeps metrics under their key.

    `wait` returns when takers have caught up, or after so many seconds.
    """

    def __init__(
        self,
        checks: PacketChecks,
        sockets: SocketTaker,
        consumers: ConsumerTaker | None,
        store: Callable[[str, str], None],
        wait: Callable[[float], Awaitable[None]],
    ) -> None:
        self._checks = checks
        self._sockets = sockets
        self._consumers = consumers
        self._takers = sockets if consumers is None else consumers
        self._store = store
        self._wait = wait
        self._waiting: collections.deque[Arrival] = collections.deque()
        self._waiting_bytes = 0
        self._holding: asyncio.Task[None] | None = None
        self._is_kept = False

    @property
    def waiting(self) -> int:
        """Messages that wait for takers."""
        return len(self._waiting)

    def receive(self, arrived: Sequence[Arrival]) -> None:
        """Messages of groups; they are given on at once unless others wait."""
        for arrival in arrived:
            self._waiting.append(arrival)
            self._waiting_bytes += len(arrival[1])
        if not self._is_kept and self._holding is None:
            self._give_on()
        self._shorten()

    def keep(self) -> None:
        """Another process takes what comes, up to a moment that is not known yet: all waits here until `go_on`."""
        self._is_kept = True

    def go_on(self) -> None:
        """What came behind that moment is for this process; the checks know of which events the other one had."""
        self._is_kept = False
        self._checks.ignores_doubles = True
        while self._waiting:
            self._take_some()
        self._checks.ignores_doubles = False

    def stop(self) -> None:
        """Nothing is given on any more."""
        self._is_kept = True
        if self._holding is not None:
            self._holding.cancel()

    def _give_on(self) -> None:
        while self._waiting:
            if self._takers.wait_time() > 0:
                self._holding = asyncio.get_running_loop().create_task(self._give_on_later())
                return
            self._take_some()

    async def _give_on_later(self) -> None:
        while self._waiting:
            while (seconds := self._takers.wait_time()) > 0:
                await self._wait(seconds)
            self._take_some()
        self._holding = None

    def _take_some(self) -> None:
        packets = []
        for _ in range(min(TURN_MESSAGES, len(self._waiting))):
            group, message = self._pop()
            if texts := self._checks.check(group, message):
                packets.append((group, texts))
        if packets:
            self._publish(packets)

    def _publish(self, packets: list[tuple[str, bytes]]) -> None:
        metrics, handed_out = self._sockets.publish_packets(packets)
        for text in metrics:
            self._store_metrics(text)
        if self._consumers is not None:
            for group, text_bytes, direct in handed_out:
                self._consumers.take_relayed(group, text_bytes, direct)

    def _store_metrics(self, text: str) -> None:
        metrics = read_metrics(text)
        if isinstance(metrics, StoredMetrics):
            self._store(metrics.key, metrics.value)
        else:
            self._sockets.count_gap("peer_metrics", 0)

    def _shorten(self) -> None:
        """Of what waits for another process the oldest is what that has most likely had: the numbers tell if not."""
        while len(self._waiting) > WAITING_MESSAGES or self._waiting_bytes > WAITING_BYTES:
            group, message = self._pop()
            if not self._is_kept:
                self._checks.lose(group, message)

    def _pop(self) -> Arrival:
        arrival = self._waiting.popleft()
        self._waiting_bytes -= len(arrival[1])
        return arrival
