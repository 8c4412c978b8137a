"""A relay that hosts an application whose consumers can begin anew: another process has its websockets at once."""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Sequence

from awxfast._rust import Fanout
from awxfast.app.feed import LayerFeed
from awxfast.app.handover import FORMAT, Inheritance
from awxfast.app.handover_leaving import Estate
from awxfast.app.handover_taking import Heir
from awxfast.app.hosted_relay import HostedRelay
from awxfast.app.relay import Relay
from awxfast.app.rooms import Rooms
from awxfast.hosted.endpoints import HostedEndpoints
from awxfast.http.access_log import AccessLog
from awxfast.http.listening import Listening
from awxfast.intake.gaps import most_events_in
from awxfast.settings import Settings
from awxfast.sockets.server import Server

log = logging.getLogger(__name__)

REPLAY_FORMAT = [1, *FORMAT]
"""As `handover.FORMAT`, with what a consumer is told that begins anew."""
RETURN_SECONDS = 5.0
"""How long events wait in Redis for consumers that begin anew; who is later misses some."""


class ReplayingRelay(HostedRelay):
    """Another process goes on under the same names in Redis, with the same sockets and new consumers.

    This one stays for requests, and for what its consumers do at their end.
    """

    def __init__(
        self,
        settings: Settings,
        fanout: Fanout,
        feed: LayerFeed,
        server: Server,
        access_log: AccessLog | None,
        *,
        host: HostedEndpoints,
    ) -> None:
        super().__init__(settings, fanout, feed, server, access_log, host=host)
        self._intake = feed.intake
        self._layer_feed = feed
        self._channels = feed.channels
        rooms = Rooms(fanout, feed.intake, server, host, feed.nodes, feed.engine)
        self._estate = Estate(rooms, REPLAY_FORMAT)
        self._heir = Heir(rooms, REPLAY_FORMAT)
        self._late: asyncio.Task[None] | None = None

    @property
    def hand_over_format(self) -> list[int]:
        return REPLAY_FORMAT

    # As the process that another one takes the place of

    async def prepare_leaving(self, successor: int) -> None:
        """Who is on the way in gets in first, and what was sent and popped is served, if that takes no time."""
        self._begin_leaving()
        await self._wait_until(lambda: self._server.is_quiet_for_websockets)
        await self._estate.rest(successor)
        await self._wait_until(lambda: self._host.is_at_rest and not self._channels.unserved)

    def leave(self, sock: socket.socket) -> int:
        return self._estate.leave(sock, self._list_dues(), self._channels.unserved)

    async def let_go(self) -> None:
        self._has_left = True
        self._channels.disconnect()
        self._host.refuse_undecided()
        self._estate.stay_behind()

    async def _undo_leaving(self) -> None:
        await self._estate.end_rest()

    # As the process that takes the place of another one

    async def look_ahead(self) -> None:
        """An application that can't start costs nobody anything. It can join groups when it has taken over."""
        await Relay.look_ahead(self)
        self._layer_feed.install_layer()
        await self._start_mode()
        await self._layer_feed.engine.look_ahead()

    async def give_up(self) -> None:
        await self.stop()

    def accept(self, inheritance: Inheritance) -> None:
        self._heir.accept(inheritance)

    async def _take(
        self, inheritance: Inheritance, listenings: Sequence[Listening], on_counted: Callable[[], None]
    ) -> int:
        self._intake.hold_events()
        kept = await self._heir.take(inheritance, on_counted)
        await asyncio.gather(self._feed.start(), self._server.listen(listenings))
        await self._await_consumers()
        self._heir.end()
        self._intake.let_events_come()
        self._layer_feed.engine.go_on()
        return kept

    async def _await_consumers(self) -> None:
        """Events wait for them, but not for ever: what those miss who are late is counted as a gap."""
        try:
            await asyncio.wait_for(self._host.replays.wait(), RETURN_SECONDS)
        except TimeoutError:
            log.warning("reload: not all consumers are back after %g s: these miss events", RETURN_SECONDS)
            self._late = asyncio.create_task(self._count_missed())

    async def _count_missed(self) -> None:
        began = time.monotonic()
        await self._host.replays.wait()
        self._fanout.count_gap("replay", most_events_in(time.monotonic() - began))
