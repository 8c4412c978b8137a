"""What the connections of one service share, and who decides about their upgrades to websocket."""

import contextvars
import dataclasses
from typing import TYPE_CHECKING, Protocol

from asgiref.typing import ASGI3Application

from awxfast._rust import SocketTransport
from awxfast.http.outcomes import Outcomes
from awxfast.http.plain_connections import PlainConnections
from awxfast.http.proxies import Proxies
from awxfast.http.requests import Requests
from awxfast.http.sending import SendingSide
from awxfast.http.server_headers import ServerHeaders
from awxfast.http.timeouts import Timeouts
from awxfast.wire.request import Request

if TYPE_CHECKING:
    from awxfast.http.protocol import HttpProtocol
    from awxfast.http.refusals import RefusingSide


class Upgrades(Protocol):
    """Who decides about upgrades to websocket."""

    def open_websocket(self, http: "HttpProtocol", request: Request) -> None:
        """Calls `http.refuse` or `http.hand_over`, now or later."""

    def open_at_once(self, arrival: "Arrival") -> bool:
        """Takes an upgrade that nothing speaks against and nobody has to be asked about; else nothing has happened."""


@dataclasses.dataclass(slots=True)
class Arrival:
    """An upgrade whose head is sound, with the answer to its key, and what came behind it."""

    service: "Shared"
    transport: SocketTransport
    request: Request
    accept_key: bytes
    behind: bytes


@dataclasses.dataclass(eq=False, slots=True, kw_only=True)
class Shared:
    """What a connection has in common with the others of its service."""

    application: ASGI3Application
    requests: Requests
    context: contextvars.Context
    """Requests begin in a copy of it each, whatever led to them."""
    upgrades: Upgrades | None
    handshakes: Outcomes
    proxies: Proxies
    headers: ServerHeaders
    max_head: int
    connections: "set[HttpProtocol]"
    plain: PlainConnections
    heads: "Timeouts[RefusingSide]"
    silences: Timeouts[SendingSide]
    lingers: Timeouts[SendingSide]
    half_closed: "Timeouts[RefusingSide]"
    is_leaving: bool = False
    """Whether each response is its connection's last."""
