"""The browsers' side of the process: listeners, and the decision about each handshake."""

import asyncio
import inspect
import logging
import socket
from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any

from awxfast._rust import Fanout
from awxfast.errors import AccessUnavailable
from awxfast.sessions.access import Access, Identity
from awxfast.sessions.access_log import AccessLog, format_client, format_path
from awxfast.sessions.admission import RETRY, Admission
from awxfast.sessions.clients import Clients
from awxfast.sessions.connection import GOING_AWAY, Connection
from awxfast.sessions.handshakes import Handshakes
from awxfast.sessions.http import HttpProtocol, HttpService
from awxfast.sessions.keepalive import SWEEP_SECONDS, Keepalive
from awxfast.sessions.native import NativeProtocol, Subscriptions
from awxfast.sessions.plain import NOT_FOUND, answer_plainly
from awxfast.settings import Settings
from awxfast.wire.forwarded import ForwardedHeaders
from awxfast.wire.handshake import Handshake, Refusal, check_handshake, encode_acceptance
from awxfast.wire.paths import Endpoint, Paths
from awxfast.wire.request import Request

log = logging.getLogger(__name__)

BACKLOG = 2048

NODE_REFUSED = Refusal(403, "node", "Nodes are not served here.")
NO_ANSWER = Refusal(503, "access", "Who you are can't be asked at the moment.", RETRY)
STOPPING = Refusal(503, "stopping", "The server is stopping.", RETRY)


class Server:
    """Serves native mode on sockets that already listen.

    `access` says who somebody is, `subscriptions` gets the process the events of groups. The counters are for
    metrics: `handshakes` `{(result, reason): n}`, `closes` `{(by, code): n}`, `refusals` `{reason: n}` (error replies).
    """

    def __init__(
        self,
        settings: Settings,
        fanout: Fanout,
        subscriptions: Subscriptions,
        access: Access,
        access_log: AccessLog | None = None,
    ) -> None:
        self._settings = settings
        self._fanout = fanout
        self._access = access
        self._access_log = access_log
        self._paths = Paths(settings.path_prefix, settings.root_path)
        self._clients = Clients(fanout, settings, access_log)
        self._keepalive = Keepalive(self._clients, settings)
        self._admission = Admission(settings.max_clients, settings.accept_rate, settings.origins, self._clients.now)
        self._native = NativeProtocol(subscriptions, access)
        self._handshakes = Handshakes(self._clients.now)
        self._http = self._make_http()
        self._listeners: list[asyncio.Server] = []
        self._deciding: set[asyncio.Task[None]] = set()
        self._sweeping: asyncio.Task[None] | None = None
        self._stopping = False

    def _make_http(self) -> HttpService:
        settings = self._settings
        application = answer_plainly(self._paths)
        forwarded = ForwardedHeaders.configure(
            settings.proxy_headers_host, settings.proxy_headers_port, settings.trusted_proxies
        )
        return HttpService(
            self._access_log.wrap(application) if self._access_log else application,
            self._handshakes,
            max_head=settings.max_head,
            head_timeout=settings.websocket_connect_timeout,
            server_name=settings.server_name,
            root_path=settings.root_path,
            upgrades=self,
            forwarded=forwarded if settings.proxy_headers else None,
        )

    @property
    def clients(self) -> int:
        """Browsers whose socket is not gone, known or not."""
        return len(self._clients)

    @property
    def handshakes(self) -> dict[tuple[str, str], int]:
        """Requests by result (`accepted`, `refused`) and reason."""
        return self._handshakes.counts

    @property
    def closes(self) -> dict[tuple[str, int], int]:
        """Ends of websockets by who closed (`server`, `peer`) and code; 1006 without a CLOSE."""
        return self._clients.closes

    @property
    def refusals(self) -> dict[str, int]:
        """Error replies by reason."""
        return self._native.refusals

    # Start and stop

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Serves from now on."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._fanout.notice_fd, self._clients.dispatch_notices)
        self._sweeping = loop.create_task(self._sweep())
        for sock in sockets:
            if sock.family == socket.AF_UNIX:
                self._listeners.append(await loop.create_unix_server(self._http, sock=sock, backlog=BACKLOG))
            else:
                self._listeners.append(await loop.create_server(self._http, sock=sock, backlog=BACKLOG))

    async def stop(self, grace: float) -> None:
        """Accepts nobody any more, then closes all clients with 1001; flushes for up to `grace` seconds."""
        self._stopping = True
        for listener in self._listeners:
            listener.close()
        for task in self._deciding:
            task.cancel()
        self._http.close()
        await self._clients.close_all(GOING_AWAY, self._settings.close_spread, grace)
        if self._sweeping is not None:
            self._sweeping.cancel()
            asyncio.get_running_loop().remove_reader(self._fanout.notice_fd)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                self._keepalive.sweep()
            except Exception:
                log.exception("a look at the connections failed")

    # Handshakes

    def open_websocket(self, http: HttpProtocol, request: Request) -> None:
        """Decides about an upgrade: at once where nobody has to be asked who it is."""
        self._log(request, "WSCONNECTING")
        decision = self._decide(request)
        if isinstance(decision, Refusal):
            self._refuse(http, request, decision)
            return
        answer = self._access.identify(request)
        if inspect.isawaitable(answer):
            self._begin(self._wait_for_identity(http, request, decision, answer))
        else:
            self._accept(http, request, decision, answer)

    def _decide(self, request: Request) -> Handshake | Refusal:
        endpoint = self._paths.find(request.path)
        if endpoint is None:
            return NOT_FOUND
        handshake = check_handshake(request)
        if isinstance(handshake, Refusal):
            return handshake
        if endpoint is Endpoint.NODE:
            return NODE_REFUSED
        if self._stopping:
            return STOPPING
        return self._admission.refuse(request, len(self._clients) + len(self._deciding)) or handshake

    async def _wait_for_identity(
        self, http: HttpProtocol, request: Request, handshake: Handshake, answer: Awaitable[Identity | None]
    ) -> None:
        try:
            identity = await answer
        except AccessUnavailable as error:
            log.warning("a handshake is refused: %s", error)
            self._refuse(http, request, NO_ANSWER)
        except Exception:
            log.exception("asking who somebody is failed")
            self._refuse(http, request, NO_ANSWER)
        else:
            self._accept(http, request, handshake, identity)

    def _accept(self, http: HttpProtocol, request: Request, handshake: Handshake, identity: Identity | None) -> None:
        """Writes the 101, to somebody unknown too: AWX accepts them, and its pages wait for `{"close": true}`."""
        if http.transport.is_closing():
            return
        self._handshakes.accept("anonymous" if identity is None else "known")
        label = (format_client(request.client), format_path(request.path)) if self._access_log else None
        connection = Connection(self._clients, self._native.begin(identity, request), label)
        headers = self._http.describe_server()
        transport, behind = http.hand_over(connection)
        connection.open(transport, encode_acceptance(handshake, headers), behind)

    def _refuse(self, http: HttpProtocol, request: Request, refusal: Refusal) -> None:
        self._log(request, "WSREJECT")
        http.refuse(refusal, describe_refused(request, refusal))

    def _begin(self, decision: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(decision)
        self._deciding.add(task)
        task.add_done_callback(self._deciding.discard)

    def _log(self, request: Request, action: str) -> None:
        if self._access_log is not None:
            self._access_log.write(format_client(request.client), f"{action} {format_path(request.path)}")


def describe_refused(request: Request, refusal: Refusal) -> str:
    """A line for the log: why, who, and where from; never the query, which may hold a token."""
    origin = f", Origin {request.values(b'origin')[0][:200]!r}" if refusal.reason == "origin" else ""
    return f"{refusal.text} {request.path[:200]!r} from {format_client(request.client)}{origin}"
