"""Wires the rooms of one serving process together: what is built, started and stopped in which order."""

import asyncio
import io
import logging
import os
import socket
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO

from asgiref.typing import ASGI3Application

from awxfast._rust import Fanout
from awxfast.errors import ConfigurationError, StartError
from awxfast.figures import GonePeers, IntakeFigures, PeerFigures, PlainFigures, SlowClient
from awxfast.hosted.channel_layers import StockLayer, find_stock_layer
from awxfast.hosted.endpoints import Host
from awxfast.hosted.exchange import Exchange
from awxfast.hosted.replace import Replacement
from awxfast.http.access_log import AccessLog
from awxfast.http.listening import Listening
from awxfast.intake.intake import EventTaker, Intake
from awxfast.native.access import Access, OpenAccess, RefuseAccess, TokensAccess
from awxfast.native.endpoints import NativeEndpoints
from awxfast.native.forward import ForwardAccess
from awxfast.nodes.nodes import NodePlan, Nodes
from awxfast.nodes.settings import read_node_settings
from awxfast.operate.admin import AdminListener
from awxfast.redis.address import RedisAddress
from awxfast.settings import MAX_GROUPS, Settings
from awxfast.sockets.server import Server
from awxfast.system.queued_stream import drain_streams, open_queued

logger = logging.getLogger(__name__)

REPLY_BYTES = 262_144

GIVE_UP_SECONDS = 0.2
"""What a start that is cancelled may still take."""


class Control(Protocol):
    """Who runs the process."""

    @property
    def used_headers(self) -> Sequence[str]:
        """Nodes' secret headers that were used in the process before this one (`--nonce-replay refuse`)."""

    def report_used_header(self, header: str) -> None:
        """One more, for the process after this one."""

    def report_serving(self, reload_files: Callable[[], None]) -> None:
        """Everything runs; `reload_files` may be called from now on."""

    async def wait_for_stop(self) -> None:
        """Returns when the process is to end in order."""


async def serve(
    settings: Settings,
    listenings: Sequence[Listening],
    admin: socket.socket | None,
    control: Control,
    application: ASGI3Application | None = None,
    access_log: AccessLog | None = None,
) -> None:
    """Serves until `control` asks for the end, then flushes and leaves nothing behind.

    `access_log` is another than the settings ask for.
    Raises `ConfigurationError` before it serves, and `StartError` when the intake ended by a fault of its own.
    """
    relay = Relay(settings, application, access_log)
    relay.share_used_headers(control.used_headers, control.report_used_header)
    try:
        if not await start_unless_stopped(relay.start(listenings, admin), control):
            return
        control.report_serving(relay.reload_files)
        failed = await relay.wait_for_end(control)
    finally:
        await relay.stop()
    if failed:
        raise StartError("the intake ended by a fault of its own, see the line above; please report it")


async def start_unless_stopped(start: Coroutine[Any, Any, None], control: Control) -> bool:
    """Whether all of it has started. A start that hangs, in the application or at Redis, can be stopped."""
    starting = asyncio.ensure_future(start)
    stopping = asyncio.ensure_future(control.wait_for_stop())
    try:
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        starting.cancel()
        await asyncio.wait([starting], timeout=GIVE_UP_SECONDS)
    if not starting.done() or starting.cancelled():
        return False
    starting.result()
    return True


class Relay:
    """All rooms of the process, and their figures for the operator."""

    def __init__(
        self, settings: Settings, application: ASGI3Application | None, access_log: AccessLog | None = None
    ) -> None:
        stock = find_layer_of_application(settings) if application is not None else None
        self._settings = settings = stock.settings(settings) if stock is not None else settings
        self._access_log = access_log or open_access_log(settings)
        self._fanout = build_fanout(settings)
        self._plan = NodePlan.make(settings, read_node_settings(), has_layer=application is None or stock is not None)
        self._address: RedisAddress | None = None
        self._intake: Intake | None = None
        self._access: Access | None = None
        self._native: NativeEndpoints | None = None
        self._nodes: Nodes | None = None
        self._host: Host | None = None
        self._replacement: Replacement | None = None
        if application is not None:
            self._host = Host(application, settings)
            self._replacement = self._replace_layer(stock) if stock is not None else None
        endpoints = self._host or self._make_native()
        nodes = self._nodes.endpoint if self._nodes is not None else self._plan.close()
        self._server = Server(settings, self._fanout, endpoints, self._access_log, nodes)
        self._admin: AdminListener | None = None
        self._listening = False

    @property
    def address(self) -> RedisAddress | None:
        """The Redis of the intake; None without one."""
        return self._address

    @property
    def has_secret(self) -> bool:
        """Whether the nodes' shared secret is known."""
        return bool(self._plan.secrets)

    def _make_native(self) -> NativeEndpoints:
        self._address = RedisAddress.parse(self._settings.redis[0])
        self._intake = self._make_intake(self._address, self._fanout)
        self._nodes = self._make_nodes(self._intake, self._address, None)
        self._access = build_access(self._settings)
        self._native = NativeEndpoints(self._settings, self._intake.subscriptions, self._access)
        return self._native

    def _make_intake(self, address: RedisAddress, taker: EventTaker) -> Intake:
        settings = self._settings
        return Intake(settings, address, taker, self._plan.announce_in, max_event_size=settings.max_event_size)

    def _make_nodes(self, intake: Intake, address: RedisAddress, exchange: Exchange | None) -> Nodes | None:
        if self._plan.answers != "native":
            return None
        return Nodes(self._plan, self._fanout, intake, address, exchange)

    def _replace_layer(self, stock: StockLayer) -> Replacement:
        """The exchange stands between intake and fan-out, and between the application's consumers and both."""
        settings = self._settings
        exchange = Exchange(
            self._fanout,
            capacity=settings.capacity,
            prefix_length=settings.random_prefix_length,
            direct=bool(settings.direct),
            barred=self._plan.barred_group,
            max_groups=settings.max_groups,
        )
        self._address = RedisAddress.parse(settings.redis[0])
        self._intake = self._make_intake(self._address, exchange)
        self._nodes = self._make_nodes(self._intake, self._address, exchange)
        exchange.connect(self._intake.subscriptions)
        return Replacement(stock, exchange, self._intake.names.token, settings)

    def share_used_headers(self, used: Sequence[str], report: Callable[[str], None]) -> None:
        """A secret header that may be used once only is so for all processes of this server."""
        if self._nodes is not None:
            self._nodes.share_used_headers(used, report)

    async def start(self, listenings: Sequence[Listening], admin: socket.socket | None) -> None:
        """Operators first, so that they can watch; browsers last, so that their subscriptions are served at once."""
        if admin is not None:
            self._admin = await AdminListener.start(self, admin)
        if self._intake is not None:
            await self._intake.start()
        if self._nodes is not None:
            self._nodes.start()
        if self._replacement is not None:
            self._replacement.install()
        if self._host is not None:
            await self._host.start()
        await self._server.start(listenings)
        self._listening = True

    async def wait_for_end(self, control: Control) -> bool:
        """Until `control` asks for it, or the intake has failed: then True."""
        if self._intake is None:
            await control.wait_for_stop()
            return False
        ends = [asyncio.ensure_future(control.wait_for_stop()), asyncio.ensure_future(self._intake.failed.wait())]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        return self._intake.failed.is_set()

    async def stop(self) -> None:
        """Browsers first: what is queued goes out while events still come in; then Redis, then the rest."""
        self._listening = False
        await self._server.stop(self._settings.grace)
        if self._nodes is not None:
            await self._nodes.stop()
        if self._replacement is not None:
            await self._replacement.stop()
        if self._intake is not None:
            await self._intake.stop()
        self._fanout.stop()
        if self._access is not None:
            await self._access.close()
        if self._admin is not None:
            await self._admin.stop()
        if self._access_log is not None and self._settings.access_log not in (None, "-"):
            self._access_log.stream.close()
            await asyncio.to_thread(drain_streams)

    def reload_files(self) -> None:
        """Reads tokens, secrets and certificates again, reopens the access log; what has a fault stays, and is said."""
        reloads = [part.reload for part in (self._access, self._nodes) if part is not None]
        for reload in (*reloads, self._server.reload, self._reopen_access_log):
            try:
                reload()
            except ConfigurationError as error:
                logger.error("%s; the old one stays in force", error)  # noqa: TRY400  an operator's fault, not ours

    def _reopen_access_log(self) -> None:
        if self._access_log is not None and self._settings.access_log not in (None, "-"):
            former, self._access_log.stream = self._access_log.stream, open_log_file(str(self._settings.access_log))
            former.close()

    # Figures (operate.figures)

    def ledger(self) -> Mapping[str, Any]:
        """The fan-out's."""
        return self._fanout.ledger()

    def fanout(self) -> Mapping[str, Any]:
        """The fan-out's other figures."""
        return self._fanout.metrics()

    def intake(self) -> IntakeFigures | None:
        """The intake's; None without one."""
        intake = self._intake
        if intake is None:
            return None
        return IntakeFigures(intake.ready, intake.depth, intake.registration.repaired)

    def handshakes(self) -> Mapping[tuple[str, str], int]:
        """The sessions'."""
        return self._server.handshakes

    def closes(self) -> Mapping[tuple[str, str], int]:
        """The sessions', 1006 where there was no CLOSE."""
        return {(by, str(code)): count for (by, code), count in self._server.closes.items()}

    def command_errors(self) -> Mapping[str, int]:
        """The native protocol's."""
        return self._native.refusals if self._native is not None else {}

    def max_clients(self) -> int | None:
        """The settings'."""
        return self._settings.max_clients

    def plain_connections(self) -> PlainFigures:
        """The server's."""
        return PlainFigures(len(self._server.plain), self._server.plain.ended)

    def slow_clients(self) -> Sequence[SlowClient]:
        """The fan-out's clients with something queued or shed."""
        return [SlowClient(*row) for row in self._fanout.clients()]

    def peers(self) -> Sequence[PeerFigures]:
        """The nodes'."""
        return self._nodes.figures() if self._nodes is not None else []

    def gone_peers(self) -> GonePeers:
        """The nodes', of those that are gone."""
        return self._nodes.gone if self._nodes is not None else GonePeers()

    def unready_reasons(self) -> Sequence[str]:
        """Why browsers would not get events now."""
        reasons = [] if self._listening else ["it does not listen"]
        if self._intake is not None and self._intake.trouble:
            reasons.append(f"Redis at {self._address} {self._intake.trouble}")
        return reasons


def find_layer_of_application(settings: Settings) -> StockLayer | None:
    """The layer to replace, if the application has one; without it there is nothing that options could be for."""
    stock = find_stock_layer()
    if stock is None and settings.layer_options:
        option = settings.layer_options[0].replace("_", "-")
        raise ConfigurationError(f"--{option}: the application has no channel layer of channels_redis; leave it out")
    return stock


def build_fanout(settings: Settings) -> Fanout:
    """The fan-out with the settings' bounds."""
    return Fanout(
        threads=settings.threads,
        queue_frames=settings.queue_frames,
        queue_bytes=settings.queue_bytes,
        queue_memory=settings.queue_memory,
        reply_bytes=reply_bound(settings) if settings.application is None else None,
        send_buffer=settings.send_buffer,
        slow_client=settings.slow_client,
        keep_groups=settings.keep_groups,
        prefix_length=settings.random_prefix_length,
        max_event_size=settings.max_event_size,
        direct_types=settings.direct,
        consumers=settings.application is not None,
    )


def reply_bound(settings: Settings) -> int:
    """Bytes of replies that a client may leave unread: more where one reply may name more groups than by default."""
    return max(REPLY_BYTES, REPLY_BYTES * settings.max_groups // MAX_GROUPS)


def build_access(settings: Settings) -> Access:
    """Who may connect: `--auth`. Without it nobody may, and the log says so."""
    kind, _, value = (settings.auth or "").partition("=")
    if settings.auth is None:
        logger.warning("Every browser is refused: --auth says who may connect (tokens=FILE, forward=URL or open)")
        return RefuseAccess()
    if settings.auth == "open":
        return OpenAccess()
    if kind == "tokens" and value:
        return TokensAccess(Path(value))
    if kind == "forward" and value:
        return ForwardAccess(value, settings.auth_ca_file)
    raise ConfigurationError("--auth: give tokens=FILE, forward=URL or open")  # it may be a token: not repeated


def open_access_log(settings: Settings) -> AccessLog | None:
    """As daphne: to the file or to stdout (`-`) if asked for, else to stdout from verbosity 1 on."""
    if settings.access_log not in (None, "-"):
        return AccessLog(open_log_file(str(settings.access_log)), with_queries=settings.application is not None)
    if settings.access_log is None and settings.verbosity < 1:
        return None
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # whoever reads a pipe wants lines in time
    return AccessLog(sys.stdout, with_queries=settings.application is not None)


def open_log_file(path: str) -> TextIO:
    """A file to append lines to."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY, 0o666)
    except OSError as error:
        raise ConfigurationError(f"--access-log {path}: {error.strerror}; choose a file that can be written") from error
    return open_queued(descriptor, "access log", owned=True)
