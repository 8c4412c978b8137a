"""What makes a connection's protocol: one service for all listeners that serve the same, with all that they share."""

import asyncio
import contextvars
import functools

from asgiref.typing import ASGI3Application

from awxfast._rust import RequestHead, SocketTransport
from awxfast.http.outcomes import Outcomes
from awxfast.http.plain_connections import PlainConnections
from awxfast.http.protocol import HttpProtocol, read_address
from awxfast.http.proxies import Proxies
from awxfast.http.refusals import RefusingSide
from awxfast.http.requests import Requests
from awxfast.http.sending import SendingSide
from awxfast.http.server_headers import ServerHeaders
from awxfast.http.shared import Arrival, Shared, Upgrades
from awxfast.http.timeouts import Timeouts

LINGER_SECONDS = 2.0
"""How long a refused client may take to read its answer; a close with unread bytes would take it away."""
HALF_CLOSED_SECONDS = 30.0
"""How long a client that has ended its side waits for a response that has not begun."""


class HttpService(Shared):
    """The factory of protocols.

    `max_head` in bytes, `head_timeout` in seconds (negative: none), `idle_timeout` in seconds between requests, between
    the parts of a body, and in which a client takes nothing of a response. Without `upgrades` all requests are the
    application's.
    """

    def __init__(
        self,
        application: ASGI3Application,
        handshakes: Outcomes,
        *,
        max_head: int,
        head_timeout: float,
        idle_timeout: float = 5,
        server_name: str = "",
        upgrades: Upgrades | None = None,
        proxies: Proxies | None = None,
        requests: Requests | None = None,
        plain: PlainConnections | None = None,
    ) -> None:
        super().__init__(
            application=application,
            requests=requests or Requests(),
            context=contextvars.copy_context(),
            upgrades=upgrades,
            handshakes=handshakes,
            proxies=proxies or Proxies(),
            headers=ServerHeaders(server_name),
            max_head=max_head,
            connections=set(),
            plain=PlainConnections.of_process() if plain is None else plain,
            heads=Timeouts(head_timeout, RefusingSide.end_late_head),
            silences=Timeouts(idle_timeout, SendingSide.end_silence),
            lingers=Timeouts(LINGER_SECONDS, SendingSide.end_linger),
            half_closed=Timeouts(HALF_CLOSED_SECONDS, RefusingSide.end_half_closed),
        )

    def __call__(self) -> HttpProtocol:
        """The protocol of a new connection."""
        return HttpProtocol(self)

    def serve_behind_tls(self, outside: asyncio.Transport) -> HttpProtocol:
        """The protocol of a new connection whose client is at the other side of a TLS transport."""
        return HttpProtocol(self, outside)

    def open_at_once(self, transport: SocketTransport, head: RequestHead, accept_key: bytes, behind: bytes) -> bool:
        """Whether an upgrade that came first on its connection was taken, without a protocol or in its place."""
        if self.upgrades is None:
            return False
        former = transport.get_protocol()
        find_server = functools.partial(read_address, transport, "sockname")
        request = self.proxies.read_upgrade(head, read_address(transport, "peername"), find_server, "http")
        if not self.upgrades.open_at_once(Arrival(self, transport, request, accept_key, behind)):
            return False
        if isinstance(former, HttpProtocol):
            former.leave()
        return True

    def begin_leaving(self) -> None:
        """Connections end with the response that is under way, or the next one."""
        self.is_leaving = True
        for connection in self.connections:
            connection.end_keep_alive()

    def end_leaving(self) -> None:
        """They go on after it again."""
        self.is_leaving = False

    def close_answered(self) -> None:
        """The same, but those stay on which nothing was asked yet: each response is its connection's last."""
        self.is_leaving = True
        for connection in list(self.connections):
            if not connection.is_new:
                connection.shutdown()

    def close(self) -> None:
        """Closes idle connections now, the others after their response."""
        for connection in list(self.connections):
            connection.shutdown()
