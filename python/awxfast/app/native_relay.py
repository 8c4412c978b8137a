"""A relay that speaks AWX's protocol itself: another process has its websockets at once."""

import asyncio
import socket
from collections.abc import Callable, Sequence

from awxfast._rust import Fanout
from awxfast.app.feed import Feed
from awxfast.app.handover import Inheritance
from awxfast.app.handover_leaving import Estate
from awxfast.app.handover_taking import Heir
from awxfast.app.relay import Relay
from awxfast.app.rooms import Rooms
from awxfast.http.access_log import AccessLog
from awxfast.http.listening import Listening
from awxfast.native.access import Access
from awxfast.native.endpoints import NativeEndpoints
from awxfast.settings import Settings
from awxfast.sockets.server import Server


class NativeRelay(Relay):
    """AWX's protocol spoken by awxfast itself."""

    def __init__(
        self,
        settings: Settings,
        fanout: Fanout,
        feed: Feed,
        server: Server,
        access_log: AccessLog | None,
        *,
        access: Access,
        endpoints: NativeEndpoints,
    ) -> None:
        super().__init__(settings, fanout, feed, server, access_log, endpoints.refusals)
        self._access = access
        rooms = Rooms(fanout, feed.intake, server, endpoints.native, feed.nodes, feed.engine)
        self._estate = Estate(rooms)
        self._heir = Heir(rooms)

    # From one process to the next

    @property
    def drains(self) -> bool:
        return self._has_left

    async def prepare_leaving(self, successor: int) -> None:
        """Who is on the way in gets in first; events flow until the last moment."""
        self._begin_leaving()
        await self._wait_until(lambda: self._server.is_quiet)
        await self._estate.rest(successor)

    def leave(self, sock: socket.socket) -> int:
        return self._estate.leave(sock, self._list_dues())

    async def let_go(self) -> None:
        """Behind TLS only the websockets themselves have gone; the bytes are carried here."""
        if self._server.carries:
            self._has_left = True
            self._estate.stay_behind()

    async def _undo_leaving(self) -> None:
        await self._estate.end_rest()

    async def look_ahead(self) -> None:
        """What comes from an engine comes here as well, from before the moment at which the other one leaves."""
        await super().look_ahead()
        await self._feed.engine.look_ahead()

    async def give_up(self) -> None:
        await self._feed.engine.stop()

    def accept(self, inheritance: Inheritance) -> None:
        self._heir.accept(inheritance)

    async def _take(
        self, inheritance: Inheritance, listenings: Sequence[Listening], on_counted: Callable[[], None]
    ) -> int:
        taken = await self._heir.take(inheritance, on_counted)
        self._heir.end()
        self._feed.engine.go_on()
        await asyncio.gather(self._feed.start(), self._server.listen(listenings))
        return taken

    async def probe(self) -> str:
        return await self._access.probe()

    async def _stop_mode(self) -> None:
        await self._access.close()

    def _reloads(self) -> list[Callable[[], None]]:
        return [self._access.reload, *super()._reloads()]
