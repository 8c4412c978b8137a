"""One serving process: its rooms, started and stopped in their order, and what operators see of them."""

import asyncio
import dataclasses
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from awxfast import __version__
from awxfast._rust import Fanout
from awxfast.app.feed import Feed, NoFeed
from awxfast.app.handover import FORMAT, Estate, Heir, Inheritance
from awxfast.errors import ConfigurationError
from awxfast.figures import About, GonePeers, IntakeFigures, PeerFigures, Place, PlainFigures, SlowClient
from awxfast.http.access_log import AccessLog
from awxfast.http.listening import Listening
from awxfast.native.access import Access
from awxfast.native.endpoints import NativeEndpoints
from awxfast.operate.admin import AdminListener
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
        self, settings: Settings, fanout: Fanout, feed: Feed | NoFeed, server: Server, access_log: AccessLog | None
    ) -> None:
        self._settings = settings
        self._fanout = fanout
        self._feed = feed
        self._server = server
        self._access_log = access_log
        self._admin: AdminListener | None = None
        self._listening = False
        self._began = time.monotonic()
        self._addresses: Sequence[str] = ()
        self._place = Place(os.getpid())
        self._end_code = GOING_AWAY
        """What browsers are told that are still there at the end."""
        self._spares: Sequence[Listening] = ()
        """The sockets once more, to listen again after a hand-over that came to nothing."""
        self._spare_admin: socket.socket | None = None
        self._is_leaving = False
        self._has_left = False
        """Whether another process has the websockets and goes on under the names in Redis."""

    @property
    def address(self) -> RedisAddress | None:
        """The Redis of the intake; None without one."""
        return self._feed.address

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
        """The process's name in Redis; None without one."""
        return None

    # From one process to the next

    @property
    def drains(self) -> bool:
        """Whether it has something to do when another process has taken its place."""
        return False

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

    async def _begin_leaving(self) -> None:
        """Who connects waits in the kernel from now on, an operator too."""
        self._is_leaving = True
        if self._admin is not None:
            admin, self._admin = self._admin, None
            await admin.stop()
        self._server.end_listening()

    async def go_on(self) -> None:
        """Nobody else does: undoes `prepare_leaving`, and `leave` of one that drains."""
        if self._is_leaving and not self._has_left:
            self._is_leaving = False
            await self._undo_leaving()
            await self._listen_again()

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

    def _note_listening(self, listenings: Sequence[Listening], admin: socket.socket | None) -> None:
        """Where it will listen; what of it is used is its own."""
        self._addresses = [listening.address for listening in listenings]
        self._keep_spares(listenings, admin)

    def _keep_spares(self, listenings: Sequence[Listening], admin: socket.socket | None) -> None:
        self._spares = duplicate(listenings)
        self._spare_admin = admin.dup() if admin is not None else None

    async def _wait_until(self, is_so: Callable[[], bool]) -> None:
        """Or until who is on the way in has had his time."""
        end = time.monotonic() + QUIET_SECONDS
        while True:
            await asyncio.sleep(QUIET_STEP)  # a connection that is being accepted is there then
            if is_so() or time.monotonic() > end:
                return

    async def _listen_again(self) -> None:
        listenings, admin = self._spares, self._spare_admin
        self._keep_spares(listenings, admin)
        await self._server.listen(listenings)
        await self._open_admin(admin)

    async def _open_admin(self, admin: socket.socket | None) -> None:
        if admin is not None:
            self._admin = await AdminListener.start(self, admin)

    async def look_ahead(self) -> None:
        """Whether all is there that is needed; starts what can stand beside another process. Raises `AwxfastError`."""
        if self.address is not None:
            (await open_connection(self.address)).close()

    async def give_up(self) -> None:
        """Undoes `look_ahead`: the other process goes on."""

    def accept(self, inheritance: Inheritance) -> None:
        """Whether all that was left can be taken; nothing is used yet. Raises `HandOverFailed`."""
        raise NotImplementedError

    async def take_over(
        self, inheritance: Inheritance, listenings: Sequence[Listening], admin: socket.socket | None
    ) -> int:
        """Goes on in place of `start`; with how many websockets."""
        raise NotImplementedError

    def share_used_headers(self, used: Sequence[str], report: Callable[[str], None]) -> None:
        """A secret header that may be used once only is so for all processes of this server."""
        self._feed.nodes.share_used_headers(used, report)

    async def start(self, listenings: Sequence[Listening], admin: socket.socket | None) -> None:
        """Operators first, so that they can watch; browsers last, so that their subscriptions are served at once."""
        self._note_listening(listenings, admin)
        await self._open_admin(admin)
        await self._feed.start()
        await self._start_mode()
        await self._server.start(listenings)
        self._listening = True

    async def stop(self) -> None:
        """Browsers first: what is queued goes out while events still come in; then Redis, then the rest."""
        self._listening = False
        await self._server.stop(self._settings.grace, self._end_code)
        await (self._feed.abandon() if self._has_left else self._feed.stop())
        self._fanout.stop()
        await self._stop_mode()
        if self._admin is not None:
            await self._admin.stop()
        for sock in [*(spare.sock for spare in self._spares), *([self._spare_admin] if self._spare_admin else [])]:
            sock.close()
        if self._access_log is not None:
            await self._access_log.close()

    async def probe(self) -> str:
        """Looks once whether others who are needed answer, and says what they said. Raises `AccessUnavailable`."""
        return ""

    async def _start_mode(self) -> None:
        """What else a mode starts."""

    async def _stop_mode(self) -> None:
        """What else a mode stops; the server has stopped its endpoints."""

    def _reloads(self) -> list[Callable[[], None]]:
        log = [self._access_log.reopen] if self._access_log is not None else []
        return [self._feed.nodes.reload, self._server.reload, *log]

    def reload_files(self) -> None:
        """Reads tokens, secrets and certificates again, reopens the access log; what has a fault stays, and is said."""
        for reload in self._reloads():
            try:
                reload()
            except ConfigurationError as error:
                log.error("%s; the old one stays in force", error)  # noqa: TRY400  an operator's fault, not ours

    def take_place(self, place: Place) -> None:
        """Where the process stands."""
        self._place = place
        if place.died is not None:
            self._fanout.count_gap("died", place.died)

    # Figures (operate.figures)

    def place(self) -> Place:
        """Where the process stands among those before it."""
        return self._place

    def about(self) -> About:
        """Which process this is."""
        redis = str(self.address) if self.address is not None else None
        return About(__version__, time.monotonic() - self._began, self._addresses, redis)

    def ledger(self) -> Mapping[str, Any]:
        """What became of all events and frames, as the fan-out counts it."""
        return self._fanout.ledger()

    def fanout(self) -> Mapping[str, Any]:
        """The fan-out's other figures."""
        return self._fanout.metrics()

    def intake(self) -> IntakeFigures | None:
        """The feed's; None without an intake."""
        return self._feed.intake_figures()

    def handshakes(self) -> Mapping[tuple[str, str], int]:
        """How many upgrades were accepted and refused, by result and reason."""
        return self._server.handshakes

    def closes(self) -> Mapping[tuple[str, str], int]:
        """The sessions', 1006 where there was no CLOSE."""
        return {(by, str(code)): count for (by, code), count in self._server.closes.items()}

    def faults(self) -> Mapping[str, int]:
        """What peers of websockets did wrong, by reason."""
        return self._server.websockets.faults

    def unserved(self) -> int:
        """Bytes that browsers have sent and nobody has served."""
        return self._server.websockets.unserved

    def command_errors(self) -> Mapping[str, int]:
        """None: an application's errors are its own."""
        return {}

    def max_clients(self) -> int | None:
        """How many browsers may be connected at once; None: any number."""
        return self._settings.max_clients

    def plain_connections(self) -> PlainFigures:
        """How many connections carry plain requests, and how many were ended."""
        return PlainFigures(len(self._server.plain), self._server.plain.ended)

    def slow_clients(self) -> Sequence[SlowClient]:
        """The fan-out's clients with something queued or shed."""
        return [SlowClient(*row) for row in self._fanout.clients()]

    def peers(self) -> Sequence[PeerFigures]:
        """The nodes that dialled in, each with its figures."""
        return self._feed.nodes.figures()

    def gone_peers(self) -> GonePeers:
        """The nodes', of those that are gone."""
        return self._feed.nodes.gone

    def unready_reasons(self) -> Sequence[str]:
        """Why browsers would not get events now."""
        return [*([] if self._listening else ["it does not listen"]), *self._feed.troubles()]


def duplicate(listenings: Sequence[Listening]) -> list[Listening]:
    """The same sockets under numbers of their own."""
    return [dataclasses.replace(listening, sock=listening.sock.dup()) for listening in listenings]


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
        super().__init__(settings, fanout, feed, server, access_log)
        self._access = access
        self._endpoints = endpoints
        self._intake = feed.intake
        parts = (fanout, feed.intake, server, endpoints.native, feed.nodes)
        self._estate = Estate(*parts)
        self._heir = Heir(*parts)

    # From one process to the next

    @property
    def token(self) -> str | None:
        return self._intake.names.token

    def take_place(self, place: Place) -> None:
        super().take_place(place)
        self._intake.recovers = place.died is not None

    @property
    def drains(self) -> bool:
        return self._has_left

    async def prepare_leaving(self, successor: int) -> None:
        """Who is on the way in gets in first; events flow until the last moment."""
        await self._begin_leaving()
        await self._wait_until(lambda: self._server.is_quiet)
        await self._estate.rest(successor)

    def leave(self, sock: socket.socket) -> int:
        """Behind TLS only the websockets themselves go; the bytes are carried here."""
        carries = self._server.carries
        kept = self._estate.leave(sock, self._list_dues())
        if carries:
            self._has_left = True
            self._estate.stay_behind()
        return kept

    async def _undo_leaving(self) -> None:
        await self._estate.end_rest()

    def accept(self, inheritance: Inheritance) -> None:
        self._heir.accept(inheritance)

    async def take_over(
        self, inheritance: Inheritance, listenings: Sequence[Listening], admin: socket.socket | None
    ) -> int:
        self._note_listening(listenings, admin)
        self._server.begin()
        taken = await self._heir.take(inheritance)
        self._heir.end()
        await self._open_admin(admin)
        await asyncio.gather(self._feed.start(), self._server.listen(listenings))
        self._listening = True
        return taken

    async def probe(self) -> str:
        return await self._access.probe()

    async def _stop_mode(self) -> None:
        await self._access.close()

    def _reloads(self) -> list[Callable[[], None]]:
        return [self._access.reload, *super()._reloads()]

    def command_errors(self) -> Mapping[str, int]:
        """Error replies to browsers' commands, by reason."""
        return self._endpoints.refusals
