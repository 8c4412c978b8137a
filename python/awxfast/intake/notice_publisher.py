"""Publishes notices in the backplane's group, on a connection of its own: one that subscribes can't."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from awxfast._rust import EntryFormat
from awxfast.redis.address import RedisAddress
from awxfast.redis.connection import RedisConnection
from awxfast.redis.group_publisher import GroupPublisher
from awxfast.redis.reconnect import KeptConnection, Outages
from awxfast.settings import LayerSettings


class NoticePublisher:
    """Nobody waits for a notice: when the connection is back, `announce_again` has them all said anew."""

    def __init__(
        self,
        layer: LayerSettings,
        entry_format: EntryFormat,
        address: RedisAddress,
        outages: Outages,
        announce_again: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        self._publisher = GroupPublisher(layer, entry_format)
        self._kept = KeptConnection(address, "notices", outages)
        self._announce_again = announce_again
        self._connection: RedisConnection | None = None

    async def run(self) -> None:
        """Keeps the connection until it is cancelled."""
        await self._kept.run(self._keep)

    async def _keep(self, connection: RedisConnection) -> None:
        await connection.ask_for_life()
        self._connection = connection
        self._kept.works()
        try:
            await self._announce_again()
            await asyncio.wait([connection.lost])
            raise connection.lost.result()
        finally:
            self._connection = None

    def write(self, prefix: str, group: str, messages: Sequence[Mapping[str, Any]]) -> None:
        """Publishes messages in a group; nothing while Redis is away."""
        if self._connection is None or not messages:
            return
        self._publisher.tell(self._connection.commands, group, messages, time.time())

    async def settle(self) -> None:
        """Returns when all that was said is out."""
        if self._connection is not None:
            await self._connection.settle()
