"""Writes events into groups of one Redis of several, as channels_redis does: members' queues may be on any of them."""

import dataclasses
from collections.abc import Callable, Sequence

from awxfast._rust import EntryFormat
from awxfast.errors import RedisError
from awxfast.redis.connection import RedisConnection
from awxfast.redis.group_writer import Event, Sent
from awxfast.redis.whole_group_writer import WholeGroupWriter
from awxfast.settings import LayerSettings
from awxfast.wire.host_choice import choose_host, sort_by_host

Connect = Callable[[], RedisConnection | None]


class HostGroupWriter(WholeGroupWriter):
    """Asks its own Redis who is in the groups, and writes to each queue where that is."""

    def __init__(
        self, layer: LayerSettings, entry_format: EntryFormat, own: str, host: int, connects: Sequence[Connect]
    ) -> None:
        """`host`: the Redis whose groups these are; `connects`: the connection to each, None while it is away."""
        super().__init__(layer, entry_format, own)
        self._host = host
        self._connects = connects
        self._unreached = 0

    async def send(self, connection: RedisConnection, events: Sequence[Event], now: float) -> Sent:
        """See `GroupWriter.send`. A queue on another Redis that is away keeps nobody else from the event."""
        self._unreached = 0
        sent = await super().send(connection, events, now)
        return dataclasses.replace(sent, full=sent.full - self._unreached, unreached=self._unreached)

    async def _write(
        self, connection: RedisConnection, entries: Sequence[tuple[str, float, bytes]], now: float
    ) -> list[int]:
        parts = sort_by_host(range(len(entries)), lambda place: choose_host(entries[place][0], len(self._connects)))
        numbers = [0] * len(entries)
        for host, places in sorted(parts.items(), key=lambda item: item[0] != self._host):
            there = [entries[place] for place in places]
            if host == self._host:
                answers = await super()._write(connection, there, now)
            else:
                answers = await self._write_elsewhere(self._connects[host](), there, now)
            for place, answer in zip(places, answers, strict=True):
                numbers[place] = answer
        return numbers

    async def _write_elsewhere(
        self, connection: RedisConnection | None, entries: Sequence[tuple[str, float, bytes]], now: float
    ) -> list[int]:
        if connection is not None:
            try:
                return await super()._write(connection, entries, now)
            except RedisError:
                pass  # its own writer tells of it
        self._unreached += len(entries)
        return [0] * len(entries)
