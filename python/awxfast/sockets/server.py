"""The browsers' side of the process: listeners, limits, and every connection until its end."""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from awxfast._rust import Fanout
from awxfast.http.access_log import AccessLog
from awxfast.http.bridge import Bridges
from awxfast.http.fair_share import WHOLE, FairShare
from awxfast.http.listening import Listening
from awxfast.http.outcomes import Outcomes
from awxfast.http.plain_answers import keep_from_nodes_paths
from awxfast.http.plain_connections import PlainConnections
from awxfast.http.proxies import Proxies
from awxfast.http.requests import Requests
from awxfast.http.service import HttpService
from awxfast.settings import Settings
from awxfast.sockets.accepting import Accepting
from awxfast.sockets.clients import Clients
from awxfast.sockets.connection import Connection
from awxfast.sockets.endpoints import Endpoints, NodeEndpoints
from awxfast.sockets.keepalive import SWEEP_SECONDS, Keepalive
from awxfast.sockets.upgrades import WebsocketUpgrades
from awxfast.system.shares import Shares
from awxfast.turns import spread
from awxfast.wire.close_codes import GOING_AWAY
from awxfast.wire.forwarded import ForwardedHeaders, RootPathHeader, read_networks

log = logging.getLogger(__name__)

IDLE_SECONDS = 60
"""How long a connection may wait between requests, and between parts of a body: as long as under daphne."""

UNANSWERED_PART = 4
"""What clients have sent that have no answer yet is at most one in so many of `--queue-memory`, all of it together."""
UNANSWERED_HEADS, LEAST_UNANSWERED = 8, 4_194_304
"""But so many heads and bytes at least."""

LAST_FLUSH_SECONDS = 1.0
"""How long TLS clients may take the end of what was written when all are closed."""


class Server:
    """Serves endpoints on sockets that already listen.

    The counters are for metrics: `handshakes` `{(result, reason): n}`, `closes` `{(by, code): n}`.
    """

    def __init__(
        self,
        settings: Settings,
        fanout: Fanout,
        endpoints: Endpoints,
        access_log: AccessLog | None = None,
        nodes: NodeEndpoints | None = None,
        tell_caught_up: Callable[[], None] = lambda: None,
        shares: Shares | None = None,
    ) -> None:
        """`tell_caught_up`: is called when the fan-out says that it may be asked again whether to wait for it.

        `shares`: other processes listen on the same sockets, and limits are for all of them together.
        """
        self._settings = settings
        self._fanout = fanout
        self._endpoints = endpoints
        self._nodes = nodes
        self._clients = Clients(fanout, settings, access_log, tell_caught_up=tell_caught_up)
        self._keepalive = Keepalive(self._clients, settings)
        self._handshakes = Outcomes(self._clients.now)
        self._requests = self._make_requests(access_log)
        self._plain = PlainConnections.of_process(self._clients.now)
        self._plain.unanswered.most = bound_unanswered(settings)
        self._upgrades = WebsocketUpgrades(settings, self._clients, self._plain, endpoints, nodes, access_log, shares)
        self._share = self._make_share(shares) if shares is not None else None
        self._http = self._make_http()
        self._bridges = Bridges(self._http.serve_behind_tls, self._plain)
        self._accepting = Accepting(settings, self._http, self._bridges, self._plain, self._share)
        self._sweeping: asyncio.Task[None] | None = None
        self._carries = False

    def _make_requests(self, access_log: AccessLog | None) -> Requests:
        return Requests(
            access_log,
            answer_timeout=self._settings.http_timeout or None,
            close_timeout=self._settings.application_close_timeout,
            now=self._clients.now,
        )

    def _make_share(self, shares: Shares) -> FairShare:
        clients, deciding, plain = self._clients, self._upgrades.deciding, self._plain

        def measure() -> tuple[int, int]:
            at_work, waiting = plain.at_work, len(deciding)
            return clients.guests + waiting, (len(clients) + waiting + at_work) * WHOLE + len(plain) - at_work

        share = FairShare(shares, measure)
        self._clients.tell_change = share.note_change
        return share

    def _make_http(self) -> HttpService:
        settings = self._settings
        forwarded = ForwardedHeaders.configure(
            settings.proxy_headers_host, settings.proxy_headers_port, settings.trusted_proxies
        )
        return HttpService(
            self._endpoints.plain if self._nodes is None else keep_from_nodes_paths(self._endpoints.plain, self._nodes),
            self._handshakes,
            max_head=settings.max_head,
            head_timeout=settings.websocket_connect_timeout,
            idle_timeout=IDLE_SECONDS,
            server_name=settings.server_name,
            upgrades=self._upgrades,
            proxies=Proxies(
                settings.root_path,
                forwarded if settings.proxy_headers else None,
                RootPathHeader(read_networks(settings.trusted_proxies)),
            ),
            requests=self._requests,
            plain=self._plain,
        )

    @property
    def clients(self) -> int:
        """Browsers whose socket is not gone, known or not."""
        return self._clients.browsers

    @property
    def plain(self) -> PlainConnections:
        """All connections but websockets."""
        return self._plain

    @property
    def handshakes(self) -> dict[tuple[str, str], int]:
        """Requests by result (`accepted`, `refused`) and reason."""
        return self._handshakes.counts

    @property
    def closes(self) -> dict[tuple[str, int | str], int]:
        """Ends of websockets by who closed (`server`, `peer`) and code: a known one, 1006 without any, `other`."""
        return self._clients.closes

    # Start and stop

    async def start(self, listenings: Sequence[Listening]) -> None:
        """Serves from now on."""
        self.begin()
        await self.listen(listenings)

    def begin(self) -> None:
        """Looks after its connections from now on; nobody can connect yet."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._fanout.news_fd, self._clients.dispatch_news)
        self._fanout.defer_wakes(loop.call_soon)
        self._sweeping = loop.create_task(self._sweep())
        self._accepting.begin()

    async def listen(self, listenings: Sequence[Listening]) -> None:
        """Lets in who connects from now on; again, if a reload was refused."""
        self._accepting.listen(listenings)
        if self._share is not None:
            self._share.begin()

    def end_listening(self) -> None:
        """Accepts nobody; the sockets are closed here. Who connects waits in the kernel where another has them, too.

        TLS handshakes that are under way go on.
        """
        if self._share is not None:
            self._share.end()
        self._accepting.end_listening()

    @property
    def websockets(self) -> Clients:
        """All that are open, or closing."""
        return self._clients

    @property
    def is_quiet(self) -> bool:
        """Whether nobody is on the way in, and no request is being served."""
        is_served = not all(connection.is_quiet for connection in self._http.connections)
        return not is_served and self.is_quiet_for_websockets

    @property
    def is_quiet_for_websockets(self) -> bool:
        """The same but for requests."""
        return not self._accepting.is_shaking and not self._upgrades.deciding and not self._clients.are_opening

    def list_idle(self) -> list[int]:
        """Descriptors of the connections without a request."""
        return [connection.descriptor for connection in self._http.connections if connection.is_between]

    def begin_leaving(self, idle: Sequence[int]) -> None:
        """Lets go of connections that another process has now; of others each response is the last."""
        self._accepting.end_handshakes()
        passed = set(idle)
        for connection in [one for one in self._http.connections if one.descriptor in passed]:
            connection.abort()
        self._http.begin_leaving()

    def end_leaving(self) -> None:
        """Nobody goes on with new ones elsewhere."""
        self._http.end_leaving()

    def pass_on(self, connections: Sequence[Connection]) -> None:
        """Another process has these websockets. What is left here are requests and TLS, which is carried for it."""
        self._carries = True
        self._upgrades.begin_stop()
        for connection in connections:
            connection.pass_on()
        for connection in self._clients:
            connection.cut_off()

    @property
    def carries(self) -> bool:
        """Whether there are clients behind TLS."""
        return len(self._bridges) > 0

    @property
    def requests(self) -> int:
        """How many requests the application works on."""
        return self._requests.running

    @property
    def served(self) -> int:
        """Browsers, those on the way in among them, and requests under way; clients whose TLS is carried."""
        carried = len(self._bridges) if self._carries else 0
        return self._clients.browsers + len(self._upgrades.deciding) + self._requests.running + carried

    def take_idle(self, sock: socket.socket) -> None:
        """One of them, from the process before this one."""
        self.adopt(sock, self._http(), is_plain=True)

    def freeze_counts(self) -> dict[str, Any]:
        """What was counted, as JSON has it."""
        handshakes = [[*kind, count] for kind, count in self.handshakes.items()]
        closes = [[*kind, count] for kind, count in self.closes.items()]
        return {"handshakes": handshakes, "closes": closes, "faults": self._clients.faults}

    def inherit_counts(self, frozen: Mapping[str, Any]) -> None:
        """What `freeze_counts` gave in the process before this one."""
        self.handshakes.update({(result, reason): count for result, reason, count in frozen["handshakes"]})
        self.closes.update({(by, code): count for by, code, count in frozen["closes"]})
        self._clients.faults.update(frozen.get("faults", {}))

    def adopt(self, sock: socket.socket, protocol: asyncio.BaseProtocol, *, is_plain: bool = False) -> None:
        """A connection of the process before this one, for `protocol` from now on. `is_plain`: it is no websocket."""
        self._accepting.adopt(sock, protocol, is_plain=is_plain)

    def reload(self) -> None:
        """Reads certificates again. Raises `ConfigurationError` at the first with a fault, which stays as it was."""
        self._accepting.reload()

    async def stop(self, grace: float, code: int = GOING_AWAY) -> None:
        """Accepts nobody any more, then closes all clients with `code`; flushes for up to `grace` seconds."""
        self._upgrades.begin_stop()
        self.end_listening()
        self._accepting.end_handshakes()
        self._endpoints.begin_stop()
        self._http.close()
        all_closes = self._settings.close_spread
        end = time.monotonic() + all_closes + grace
        await asyncio.gather(self._clients.close_all(code, all_closes, grace), self._requests.stop(grace))
        await self._bridges.wait_closed(all_closes + grace if self._carries else LAST_FLUSH_SECONDS)
        self._bridges.close()
        await self._endpoints.stop(max(1.0, end - time.monotonic()))
        if self._sweeping is not None:
            self._sweeping.cancel()
            asyncio.get_running_loop().remove_reader(self._fanout.news_fd)
        self._accepting.close()

    def _look_at_shares(self) -> Iterator[bool]:
        """Also where nothing happens, so that others see that this process runs."""
        if self._share is not None:
            self._share.publish()
            self._upgrades.look()
        yield False

    async def _sweep(self) -> None:
        looks = [self._clients.close_due, self._keepalive.sweep, self._requests.sweep]
        looks += [self._endpoints.sweep, self._plain.sweep]
        if self._nodes is not None:
            looks.append(self._nodes.sweep)
        if self._share is not None:
            looks.append(self._look_at_shares)
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            await asyncio.sleep(0)  # the loop reads first: after a pause what came meanwhile is no silence
            for look in looks:
                try:
                    await spread(look())
                except Exception:
                    log.exception("a look at the connections failed")


def bound_unanswered(settings: Settings) -> int:
    """How many bytes clients may have sent that have no answer yet, all of them together."""
    most = settings.queue_memory // UNANSWERED_PART
    return max(most, UNANSWERED_HEADS * settings.max_head + LEAST_UNANSWERED)
