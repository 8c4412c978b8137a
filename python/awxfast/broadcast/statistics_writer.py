"""Keeps the statistics in Redis that AWX's own tools read there (`broadcast.statistics`)."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable

from awxfast.broadcast.dialled_peer import DialledPeer
from awxfast.broadcast.statistics import INTERVAL, KEY, Statistics
from awxfast.errors import ConfigurationError, RedisError
from awxfast.redis.address import RedisAddress
from awxfast.redis.login import open_connection

log = logging.getLogger(__name__)


class StatisticsWriter:
    """Writes them once an interval; `failures` counts the times that they could not be made."""

    def __init__(
        self,
        store: Callable[[str, str], bool],
        list_peers: Callable[[], Iterable[DialledPeer]],
        address: RedisAddress,
    ) -> None:
        self._store = store
        self._list_peers = list_peers
        self._address = address
        self._statistics = Statistics()
        self.failures = 0

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                self._store(KEY, self._statistics.text(self._list_peers()))
            except Exception as error:  # links matter more than figures about them
                if not self.failures:
                    log.error("the statistics in Redis can't be made: %r", error)  # noqa: TRY400  -v 2 has it below
                    log.debug("where", exc_info=True)
                self.failures += 1
            await asyncio.sleep(INTERVAL)

    async def delete(self) -> None:
        """Nobody is connected any more, and nobody would say so."""
        with contextlib.suppress(RedisError, ConfigurationError):
            connection = await open_connection(self._address, seconds=1.0)
            with contextlib.closing(connection):
                await connection.command("DEL", KEY)


async def fetch_statistics(address: RedisAddress) -> str:
    """The text that a dialler on this Redis wrote; empty where none did. Raises `RedisError`."""
    connection = await open_connection(address)
    with contextlib.closing(connection):
        text: bytes | None = await connection.command("GET", KEY)
    return (text or b"").decode("utf-8", "replace")
