"""Keeps a connection to Redis up: again and again with growing pauses, and one log line an outage."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

from awxfast.errors import ConfigurationError, RedisError
from awxfast.intake.address import RedisAddress
from awxfast.intake.redis import RedisConnection
from awxfast.pauses import Pauses

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0


class Outages:
    """Tells the operator once that Redis is away and once that it is back, however many connections notice."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._broken: set[str] = set()
        self._since = 0.0

    def broke(self, connection: str, error: Exception) -> None:
        """The connection of this name broke, or could not be opened."""
        if not self._broken:
            self._since = time.monotonic()
            why = str(error).removeprefix(f"Redis at {self._address}: ")
            log.warning("Redis at %s is away: %s; clients stay, trying again", self._address, why)
        self._broken.add(connection)

    def mended(self, connection: str) -> None:
        """The connection of this name works."""
        if connection not in self._broken:
            return
        self._broken.remove(connection)
        if not self._broken:
            log.warning("Redis at %s is back after %.1f s", self._address, time.monotonic() - self._since)


class KeptConnection:
    """A connection that is opened again when it breaks."""

    def __init__(self, address: RedisAddress, name: str, outages: Outages, patience: float = 5.0) -> None:
        self._address = address
        self._name = name
        self._outages = outages
        self._patience = patience
        self._up = asyncio.Event()
        self.reconnects = 0

    @property
    def up(self) -> bool:
        """Whether it works at present."""
        return self._up.is_set()

    async def wait_up(self) -> None:
        """Returns when it works."""
        await self._up.wait()

    async def run(self, work: Callable[[RedisConnection], Awaitable[None]]) -> None:
        """Runs `work` on a connection, again on a new one whenever it raises `RedisError`, until it returns.

        `work` calls `works` as soon as Redis does what it needs. What can never work, such as a password that was
        changed, is tried again too: clients are connected, and the operator may be about to mend it.
        """
        pauses = Pauses(FIRST_PAUSE, LONGEST_PAUSE)
        while True:
            try:
                connection = await RedisConnection.open(self._address, patience=self._patience)
                with contextlib.closing(connection):
                    return await work(connection)
            except (RedisError, ConfigurationError) as error:
                if self.up:
                    pauses.begin_again()
                self._outages.broke(self._name, error)
            finally:
                self._up.clear()
            await asyncio.sleep(pauses.take())
            self.reconnects += 1

    def works(self) -> None:
        """The connection proved good."""
        self._up.set()
        self._outages.mended(self._name)
