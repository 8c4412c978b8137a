"""How a NATS carrier comes by a connection: one server of the cluster after the other, until one takes us."""

import asyncio
import time
from collections.abc import Callable

from awxfast.engine.address import EngineAddress
from awxfast.engine.nats_connection import NatsConnection, NatsConnectionFailed
from awxfast.engine.nats_options import NatsOptions
from awxfast.engine.nats_servers import NatsServers
from awxfast.errors import ConfigurationError
from awxfast.pauses import Pauses

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
"""Between rounds through all servers."""
SHORT_LIFE = 2.0
"""Seconds: a connection that broke earlier has not mended anything."""


class NatsConnector:
    """`make` gives a connection that is not open, as `NatsConnection` does."""

    def __init__(
        self,
        address: EngineAddress,
        make: Callable[..., NatsConnection],
        failed: Callable[[NatsConnectionFailed | ConfigurationError], None],
    ) -> None:
        """`failed` is told why a server has not taken us. Raises `ConfigurationError` for what can't be obeyed."""
        self._make = make
        self._failed = failed
        self._options = NatsOptions.of(address)
        self.servers = NatsServers(address.servers)
        self.place = address.servers[0]
        """The server that was tried last."""
        self._pauses = Pauses(FIRST_PAUSE, LONGEST_PAUSE)
        self._since = float("-inf")

    async def connect(self) -> NatsConnection:
        """Not at once where the last connection broke soon."""
        if time.monotonic() - self._since < SHORT_LIFE:
            await asyncio.sleep(self._pauses.take())
        else:
            self._pauses.begin_again()
        self._since = time.monotonic()
        connection = await self._try_all()
        self._since = time.monotonic()
        return connection

    def is_leaving(self, connection: NatsConnection) -> bool:
        """Whether nothing more goes to this server, since it is about to stop and there is another."""
        return connection.is_stopping and len(self.servers) > 1

    async def _try_all(self) -> NatsConnection:
        left = len(self.servers)  # in this round: each may tell of others, and so without end
        while True:
            self.place = self.servers.take_next()
            connection = self._make(self._options, told=self.servers.learn)
            try:
                await connection.open(*self.place, self.servers.name_for_certificate(self.place))
            except (NatsConnectionFailed, ConfigurationError) as error:
                self._failed(error)
            else:
                return connection
            left -= 1
            if left == 0:
                await asyncio.sleep(self._pauses.take())
                left = len(self.servers)
