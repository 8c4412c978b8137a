"""A relay that hosts an application, whose consumers can't be handed over: the process that has them serves them on."""

import itertools
import logging
import socket
import time
from collections.abc import Callable, Sequence

import orjson

from awxfast._rust import Fanout
from awxfast.app.feed import Feed, NoFeed
from awxfast.app.handover import Inheritance, transfer, write_idle
from awxfast.app.relay import Relay
from awxfast.hosted.endpoints import HostedEndpoints
from awxfast.http.access_log import AccessLog
from awxfast.http.listening import Listening
from awxfast.settings import Settings
from awxfast.sockets.server import Server

log = logging.getLogger(__name__)

FORMAT = [1]
"""The version of what is said here to the process that takes the place of this one."""


class HostedRelay(Relay):
    """An application, which awxfast hosts. It may go on for requests when another process has taken its place."""

    def __init__(
        self,
        settings: Settings,
        fanout: Fanout,
        feed: Feed | NoFeed,
        server: Server,
        access_log: AccessLog | None,
        *,
        host: HostedEndpoints,
    ) -> None:
        super().__init__(settings, fanout, feed, server, access_log)
        self._host = host

    @property
    def drains(self) -> bool:
        return True

    async def _start_mode(self) -> None:
        await self._host.start()

    @property
    def _remaining(self) -> int:
        """Browsers and requests; websockets that have ended but that the application still works for among them."""
        return max(self._server.served, self._host.running)


class DrainingRelay(HostedRelay):
    """Another process takes its place with names of its own in Redis, so both serve for a time.

    The new one serves whoever connects, this one whoever it has.
    """

    _left_at = 0.0
    _idle: Sequence[int] = ()
    """Descriptors of what was left to the other process."""

    @property
    def leaves_counts(self) -> bool:
        return False

    @property
    def hand_over_format(self) -> list[int]:
        return FORMAT

    # As the process that another one takes the place of

    async def prepare_leaving(self, successor: int) -> None:
        """Who connects waits in the kernel from now on; who is on the way in gets in first."""
        self._begin_leaving()
        self._left_at = time.monotonic()
        await self._wait_until(lambda: self._server.is_quiet_for_websockets)

    def leave(self, sock: socket.socket) -> int:
        """Only connections without a request go."""
        self._idle = idle = self._server.list_idle()
        head = {"format": FORMAT, "rested_at": self._left_at, "drained": self._server.served}

        transfer(sock, itertools.chain([(orjson.dumps(head), ())], write_idle(idle)))
        return 0

    async def let_go(self) -> None:
        self._server.begin_leaving(self._idle)

    async def _undo_leaving(self) -> None:
        self._server.end_leaving()

    # As the process that takes the place of another one

    async def look_ahead(self) -> None:
        """Both are registered in Redis from now on. An application that can't start costs nobody anything."""
        await super().look_ahead()
        await self._feed.start()
        await self._start_mode()

    async def give_up(self) -> None:
        await self.stop()

    def accept(self, inheritance: Inheritance) -> None:
        inheritance.check(FORMAT)

    async def _take(
        self, inheritance: Inheritance, listenings: Sequence[Listening], on_counted: Callable[[], None]
    ) -> int:
        on_counted()
        await self._server.listen(listenings)
        for descriptor in inheritance.idle:
            self._server.take_idle(socket.socket(fileno=descriptor))
        return 0
