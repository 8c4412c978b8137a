"""What becomes of an upgrade to websocket: refused from its head, accepted at once, or left to the endpoints."""

from awxfast.http.access_log import AccessLog
from awxfast.http.plain_connections import PlainConnections
from awxfast.http.protocol import HttpProtocol
from awxfast.http.shared import Arrival
from awxfast.settings import Settings
from awxfast.sockets.admission import Admission
from awxfast.sockets.clients import Clients
from awxfast.sockets.endpoints import Endpoints, NodeEndpoints
from awxfast.sockets.opening import Opening, describe_refused, log_step, open_accepted
from awxfast.system.shares import Shares
from awxfast.wire.handshake import RETRY, Handshake, Refusal, check_handshake
from awxfast.wire.request import Request

NO_DESCRIPTORS = Refusal(503, "limit", "All descriptors are in use.", RETRY)
STOPPING = Refusal(503, "limit", "The server is stopping.", RETRY)


class WebsocketUpgrades:
    """Decides about upgrades on all listeners. `deciding` are those that wait for an answer."""

    def __init__(
        self,
        settings: Settings,
        clients: Clients,
        plain: PlainConnections,
        endpoints: Endpoints,
        nodes: NodeEndpoints | None,
        access_log: AccessLog | None,
        shares: Shares | None = None,
    ) -> None:
        self._clients = clients
        self._plain = plain
        self._endpoints = endpoints
        self._nodes = nodes
        self._access_log = access_log
        self._admission = Admission(
            settings.max_clients,
            settings.accept_rate,
            settings.origins,
            clients.now,
            local=settings.auth == "open",
            shares=shares,
        )
        self.deciding: set[Opening] = set()
        self._is_stopping = False

    def begin_stop(self) -> None:
        """All that come from now on are refused."""
        self._is_stopping = True

    def open_websocket(self, http: HttpProtocol, request: Request) -> None:
        """Refuses what the head alone forbids; all else is decided by the endpoints."""
        log_step(self._access_log, request, "WSCONNECTING")
        nodes = self._nodes if self._nodes is not None and self._nodes.owns(request.path) else None
        handshake = self._check(http, request) if nodes is None else self._check_node(request)
        if isinstance(handshake, Refusal):
            self._refuse(http, request, handshake)
            return
        dismissed = self._admission.give_back
        opening = Opening(http, request, handshake, self._clients, self._access_log, self._forget, dismissed)
        self.deciding.add(opening)
        self._clients.tell_change()
        (nodes or self._endpoints).decide(opening)

    def _forget(self, opening: Opening) -> None:
        """One that is accepted is a client only in a moment: others are told behind that, and see no place free."""
        self.deciding.discard(opening)
        self._clients.tell_change()

    @property
    def guests(self) -> int:
        """What counts under `--max-clients`."""
        return self._clients.guests + len(self.deciding)

    def look(self) -> None:
        """Sees what other processes have admitted; to be called now and then."""
        self._admission.look()

    def open_at_once(self, arrival: Arrival) -> bool:
        """The same for one that is accepted. For any other nothing has happened: it comes by `open_websocket`."""
        request, descriptor = arrival.request, arrival.transport.fileno()
        if self._is_stopping or self._endpoints.check(request) or not self._plain.is_below_reserve(descriptor):
            return False
        if self._nodes is not None and self._nodes.owns(request.path):
            return False
        accepted = self._endpoints.recall(request)
        if accepted is None or self._admission.refuse(request, self.guests):
            return False
        log_step(self._access_log, request, "WSCONNECTING")
        open_accepted(arrival, accepted, self._clients, self._access_log)
        return True

    def _check(self, http: HttpProtocol, request: Request) -> Handshake | Refusal:
        refusal = self._endpoints.check(request)
        handshake = refusal or check_handshake(request)
        if isinstance(handshake, Refusal):
            return handshake
        if self._is_stopping:
            return STOPPING
        if not self._plain.has_descriptors(http):
            return NO_DESCRIPTORS
        return self._admission.refuse(request, self.guests) or handshake

    def _check_node(self, request: Request) -> Handshake | Refusal:
        return STOPPING if self._is_stopping else check_handshake(request)

    def _refuse(self, http: HttpProtocol, request: Request, refusal: Refusal) -> None:
        log_step(self._access_log, request, "WSREJECT")
        http.refuse(refusal, describe_refused(request, refusal, self._admission.name_allowed(refusal)))
