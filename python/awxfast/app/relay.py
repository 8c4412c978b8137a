"""One serving process: its rooms, started and stopped in their order."""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from awxfast._rust import Fanout
from awxfast.app.entrances import Entrances
from awxfast.app.feed import Feed, NoFeed
from awxfast.app.fellows import Fellows
from awxfast.app.handover import FORMAT, Inheritance
from awxfast.app.relay_figures import RelayFigures
from awxfast.errors import ConfigurationError
from awxfast.http.access_log import AccessLog
from awxfast.http.listening import Listening
from awxfast.redis.address import RedisAddress
from awxfast.redis.login import open_connection
from awxfast.settings import Settings
from awxfast.sockets.connection import Connection
from awxfast.sockets.server import Server
from awxfast.wire.close_codes import GOING_AWAY, RESTARTING

log = logging.getLogger(__name__)

QUIET_SECONDS = 1.0
"""How long who is on the way in may take, before a hand-over, until he is in: he knows no other process."""
QUIET_STEP = 0.01
LOOK_SECONDS = 0.1
"""Between two looks at whether anybody is left."""


class Relay:
    """What both modes have: where events come from, the fan-out, and the server that browsers connect to."""

    def __init__(
        self,
        settings: Settings,
        fanout: Fanout,
        feed: Feed | NoFeed,
        server: Server,
        access_log: AccessLog | None,
        command_errors: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """`command_errors`: counts error replies to browsers' commands, by reason."""
        self._settings = settings
        self._fanout = fanout
        self._feed = feed
        self._server = server
        self._access_log = access_log
        self._entrances = Entrances(server)
        self.figures = RelayFigures(fanout, feed, server, self._entrances, settings.max_clients, command_errors)
        self._fellows: Fellows | None = None
        self._end_code = GOING_AWAY
        """What browsers are told that are still there at the end."""
        self._is_leaving = self._is_stopping = False
        self._has_left = False
        """Whether another process has the websockets and goes on under the names in Redis."""

    @property
    def addresses(self) -> Sequence[RedisAddress]:
        """The Redis of the intake, one or several; none without one."""
        return self._feed.addresses

    async def find_missing_rights(self) -> Sequence[str]:
        """A line for each Redis whose user would have to be allowed more."""
        return await self._feed.find_missing_rights()

    @property
    def has_secret(self) -> bool:
        """Whether the nodes' shared secret is known."""
        return self._feed.nodes.has_secret

    @property
    def failed(self) -> asyncio.Event:
        """Set when no events will come any more, by a fault here."""
        return self._feed.failed

    @property
    def token(self) -> str | None:
        """The process's name in Redis; None without one that another process can go on under."""
        return self._feed.token

    # From one process to the next

    @property
    def drains(self) -> bool:
        """Whether it has something to do when another process has taken its place."""
        return False

    @property
    def leaves_counts(self) -> bool:
        """Whether the process that takes its place counts on from what was counted here."""
        return True

    @property
    def can_go_on(self) -> bool:
        """Whether it could serve all again that it had before it left."""
        return not self._has_left

    @property
    def hand_over_format(self) -> list[int]:
        """The version of what it leaves to another process, and of what it takes."""
        return FORMAT

    async def prepare_leaving(self, successor: int) -> None:
        """Brings all to rest, for as long as it takes to hand it over. Raises `HandOverFailed`.

        `successor`: the process that is to go on.
        """
        raise NotImplementedError

    def leave(self, sock: socket.socket) -> int:
        """Hands over to the process at the other end (`app.handover`). Raises `HandOverFailed`."""
        raise NotImplementedError

    async def let_go(self) -> None:
        """Another process has all that was left: this one must not touch that in another turn of the loop."""

    def _begin_leaving(self) -> None:
        """Who connects waits in the kernel from now on."""
        self._is_leaving = True
        self._entrances.close()

    async def go_on(self) -> None:
        """Nobody else does: undoes `prepare_leaving`, and `leave` of one that drains."""
        if self._is_leaving and not self._has_left:
            self._is_leaving = False
            await asyncio.gather(self._undo_leaving(), self._open_again())

    async def _open_again(self) -> None:
        """Who waits in the kernel does not wait for Redis, too."""
        if not self._is_stopping:
            await self._entrances.open_again()

    async def _undo_leaving(self) -> None:
        """What a mode has brought to rest goes on."""

    async def drain(self) -> None:
        """Serves those who are still here until they are gone, or `--reload-drain` is over."""
        seconds = self._settings.reload_drain
        log.info(
            "Draining: another process serves newcomers; %d clients are left, for %g s at most",
            self._remaining,
            seconds,
        )
        began = time.monotonic()
        while self._remaining and time.monotonic() - began < seconds:  # noqa: ASYNC110  their ends have many reasons
            await asyncio.sleep(LOOK_SECONDS)
        self._end_code = RESTARTING
        took = time.monotonic() - began
        log.info(
            "Drained after %.1f s: %s",
            took,
            f"{self._remaining} clients are closed" if self._remaining else "all have gone",
        )

    @property
    def _remaining(self) -> int:
        """How many it still has something to do for."""
        return self._server.served

    def _list_dues(self) -> Mapping[Connection, float]:
        """When the other process is to close whom, if this one carries their TLS on."""
        settings = self._settings
        return self._server.websockets.list_dues(time.monotonic() + settings.reload_drain, settings.close_spread)

    async def _wait_until(self, is_so: Callable[[], bool]) -> None:
        """Or until who is on the way in has had his time."""
        end = time.monotonic() + QUIET_SECONDS
        while True:
            await asyncio.sleep(QUIET_STEP)  # a connection that is being accepted is there then
            if is_so() or time.monotonic() > end:
                return

    async def look_ahead(self) -> None:
        """Whether all is there that is needed; starts what can stand beside another process. Raises `AwxfastError`."""
        for address in self.addresses:
            (await open_connection(address)).close()

    async def give_up(self) -> None:
        """Undoes `look_ahead`: the other process goes on."""

    def accept(self, inheritance: Inheritance) -> None:
        """Whether all that was left can be taken; nothing is used yet. Raises `HandOverFailed`."""
        raise NotImplementedError

    async def take_over(
        self, inheritance: Inheritance, listenings: Sequence[Listening], on_counted: Callable[[], None]
    ) -> int:
        """Goes on in place of `start`; with how many websockets. `on_counted`: called when its figures are right."""
        self._entrances.note(listenings)
        self._server.begin()
        kept = await self._take(inheritance, listenings, on_counted)
        self._entrances.is_open = True
        return kept

    async def _take(
        self, inheritance: Inheritance, listenings: Sequence[Listening], on_counted: Callable[[], None]
    ) -> int:
        """What a mode makes of all that was left, and in which order it opens its entrances."""
        raise NotImplementedError

    def share_used_headers(self, used: Sequence[str], report: Callable[[str], None]) -> None:
        """A secret header that may be used once only is so for all processes of this server."""
        self._feed.nodes.share_used_headers(used, report)

    def join(self, fellows: Fellows) -> None:
        """Others serve the same application at the same time."""
        self._fellows = fellows
        self._feed.nodes.claim_headers_by(fellows.claim_header)

    async def start(self, listenings: Sequence[Listening]) -> None:
        """Browsers last, so that their subscriptions are served at once."""
        self._entrances.note(listenings)
        await self._feed.start()
        await self._start_mode()
        if self._fellows is not None:
            await self._fellows.wait_until_ready()
        await self._server.start(listenings)
        self._entrances.is_open = True

    async def stop(self) -> None:
        """Browsers first: what is queued goes out while events still come in; then Redis, then the rest."""
        self._is_stopping = True
        self._entrances.is_open = False
        await self._server.stop(self._settings.grace, self._end_code)
        await (self._feed.abandon() if self._has_left else self._feed.stop())
        self._fanout.stop()
        await self._stop_mode()
        self._entrances.drop_spares()
        if self._access_log is not None:
            await self._access_log.close()

    async def probe_engine(self) -> str:
        """Tries once what the engine lets us do, and says so; empty without one. Raises what `engine.probe` does."""
        return await self._feed.engine.probe()

    async def probe(self) -> str:
        """Looks once whether others who are needed answer, and says what they said. Raises `AccessUnavailable`."""
        return ""

    async def _start_mode(self) -> None:
        """What else a mode starts."""

    async def _stop_mode(self) -> None:
        """What else a mode stops; the server has stopped its endpoints."""

    def _reloads(self) -> list[Callable[[], None]]:
        log = [self._access_log.reopen] if self._access_log is not None else []
        return [self._feed.nodes.reload, self._feed.reload_keys, self._server.reload, *log]

    def reload_files(self) -> None:
        """Reads tokens, secrets, keys and certificates again, reopens the access log; what has a fault stays."""
        for reload in self._reloads():
            try:
                reload()
            except ConfigurationError as error:
                log.error("%s; the old one stays in force", error)  # noqa: TRY400  an operator's fault, not ours

    def follow_death(self, lost: int) -> None:
        """The process before this one died, and so many events were lost with it at most."""
        self._fanout.count_gap("died", lost)
        self._feed.expect_recovery()

    def ledger(self) -> Mapping[str, Any]:
        """What became of all events and frames."""
        return self.figures.ledger()
