"""An upgrade request that waits for a decision: nothing of an answer leaves before it is made."""

import asyncio
import dataclasses
from collections.abc import Callable

from awxfast.http.access_log import AccessLog, format_client, format_path
from awxfast.http.protocol import HttpProtocol
from awxfast.http.response import add_missing
from awxfast.http.shared import Arrival
from awxfast.printable import escape
from awxfast.sockets.client_list import ClientList
from awxfast.sockets.clients import Clients
from awxfast.sockets.connection import Connection
from awxfast.sockets.node_seat import NodeSeat
from awxfast.sockets.session import Session
from awxfast.system.unread_bytes import is_gone
from awxfast.wire.handshake import SWITCHING, Handshake, Headers, Reason, Refusal, encode_acceptance, encode_head
from awxfast.wire.request import Request


@dataclasses.dataclass(slots=True)
class Accepted:
    """Who speaks over a connection that is accepted, which kind of client that is, and what leaves with the 101."""

    session: Session
    kind: str
    greeting: bytes


def open_accepted(arrival: Arrival, accepted: Accepted, clients: ClientList, access_log: AccessLog | None) -> None:
    """Writes the 101 of an upgrade that waits for nobody."""
    arrival.service.handshakes.accept(accepted.kind)
    connection = Connection(clients, accepted.session, name_for_log(arrival.request, access_log))
    arrival.transport.set_protocol(connection)
    answer = SWITCHING + arrival.accept_key + arrival.service.headers.encode_switching()
    connection.open(arrival.transport, answer, arrival.behind, accepted.greeting)


class Opening:
    """A request that waits until `accept`, `refuse`, or a denial of the application's own; later ones have no effect.

    `on_lost` is called when the client goes away before there is a decision, `on_decided` when all this is over.
    `request` and `handshake` are gone once it is accepted: an application that runs keeps this, and needs them no more.
    """

    __slots__ = (
        "_access_log",
        "_clients",
        "_http",
        "_on_decided",
        "_on_dismissed",
        "handshake",
        "on_lost",
        "request",
        "task",
    )

    def __init__(
        self,
        http: HttpProtocol,
        request: Request,
        handshake: Handshake,
        clients: Clients,
        access_log: AccessLog | None,
        on_decided: Callable[["Opening"], None],
        on_dismissed: Callable[[], None] = lambda: None,
    ) -> None:
        self._http: HttpProtocol | None = http
        self._clients = clients
        self._access_log = access_log
        self._on_decided = on_decided
        self._on_dismissed = on_dismissed
        self.request = request
        self.handshake = handshake
        self.on_lost: Callable[[], object] | None = None
        self.task: asyncio.Task[None] | None = None
        """An application's that decides, and may go on for a while whatever becomes of this."""
        http.on_lost = self._lose

    def accept(self, session: Session, kind: str, headers: Headers = (), greeting: bytes | None = None) -> None:
        """Writes the 101 with `headers` and leaves the connection to `session`; `kind` of client is for counters.

        `greeting` is a text message that leaves with it.
        """
        http = self._take_present()
        if http is not None:
            http.service.handshakes.accept(kind)
            self._hand_over(http, session, self._clients, headers, greeting)

    def accept_node(
        self, session: Session, kind: str, headers: Headers, *, notices: bool, max_message_size: int
    ) -> None:
        """The same for another node; `notices`: it is to hear of subscriptions."""
        http = self._take_present()
        if http is not None:
            http.service.handshakes.accept(kind)
            self._hand_over(http, session, NodeSeat(self._clients, notices, max_message_size), headers)

    def dismiss(self, session: Session, greeting: bytes, reason: Reason, text: str) -> None:
        """Writes the 101 for a session that only says that it is over, and counts a refusal; `text` says why."""
        self.give_back()
        http = self._take_present()
        if http is not None:
            http.service.handshakes.refuse(reason, describe_request(self.request), text)
            self._clients.dismiss(self._hand_over(http, session, self._clients, (), greeting))

    def give_back(self) -> None:
        """What it took of `--accept-rate`: nobody has learned who this is."""
        self._on_dismissed()

    def _take_present(self) -> HttpProtocol | None:
        """The connection, if its client is still there."""
        http = self._take()
        if http is None or not http.transport.is_closing():
            return http
        if self.on_lost is not None:
            self.on_lost()
        return None

    def _hand_over(
        self,
        http: HttpProtocol,
        session: Session,
        clients: ClientList,
        headers: Headers,
        greeting: bytes | None = None,
    ) -> Connection:
        connection = Connection(clients, session, name_for_log(self.request, self._access_log))
        described = http.describe_server()
        transport, behind = http.hand_over(connection)
        answer = encode_acceptance(self.handshake, [*add_missing(described, headers), *headers])
        del self.request, self.handshake, self.task
        connection.open(transport, answer, behind, greeting)
        return connection

    def refuse(self, refusal: Refusal, subject: str | None = None) -> None:
        """Answers with something else than a 101; `subject` is for the log, empty: whoever refuses has its line."""
        http = self._take()
        if http is not None:
            self._leave_behind(http)
            self._log("WSREJECT")
            http.refuse(refusal, describe_refused(self.request, refusal) if subject is None else subject)
            http.on_lost = self._note_end

    def drop_if_gone(self) -> bool:
        """Looks whether the client is there at all: one that sends on before it has its answer is not read."""
        http = self._http
        if http is None or not http.is_reading_paused or not is_gone(http.transport.get_extra_info("socket")):
            return False
        http.transport.abort()
        return True

    # An answer of the application's own

    def begin_denial(self, status: int, headers: Headers) -> None:
        """Its head. `end_denial` must follow."""
        if self._http is not None:
            self._log("WSREJECT")
            refusal = Refusal(status, "application", f"The application answered {status}.")
            self._http.service.handshakes.refuse(refusal.reason, describe_request(self.request), refusal.text)
            described = self._http.describe_server()
            self._http.begin_answer(
                encode_head(status, [*add_missing(described, headers), *headers, (b"connection", b"close")])
            )

    async def send_denial(self, body: bytes) -> None:
        """A part of its body; returns when there is room for more."""
        if self._http is not None:
            self._http.write(body)
            await self._http.drain()

    def end_denial(self) -> None:
        """The answer is whole, or never will be."""
        http = self._take()
        if http is not None:
            http.end_answer()
            http.on_lost = self._note_end

    def _take(self) -> HttpProtocol | None:
        """The connection, for the first who decides."""
        http, self._http = self._http, None
        if http is not None:
            self._on_decided(self)
        return http

    def _lose(self) -> None:
        self._note_end()
        http = self._take()
        if http is None:
            return
        if self.on_lost is not None:
            self.on_lost()
        self._leave_behind(http)

    def _leave_behind(self, http: HttpProtocol) -> None:
        if self.task is not None:
            http.leave_behind(self.task)

    def _note_end(self) -> None:
        """As in daphne, which has this line for every socket that it had the first one for."""
        self._log("WSDISCONNECT")

    def _log(self, action: str) -> None:
        log_step(self._access_log, self.request, action)


def name_for_log(request: Request, access_log: AccessLog | None) -> tuple[str, str] | None:
    """Client and path as a connection's later lines have them; None where there is no log."""
    return (format_client(request.client), format_path(request.path)) if access_log is not None else None


def log_step(access_log: AccessLog | None, request: Request, action: str) -> None:
    """One of daphne's lines about a websocket that is on its way in."""
    if access_log is not None:
        access_log.write(format_client(request.client), f"{action} {format_path(request.path)}")


def describe_refused(request: Request, refusal: Refusal, allowed: str = "") -> str:
    """Path, peer and what else a refusal is about, for the log; `allowed` are the names that would have been let in."""
    names = ("host", "origin") if refusal.reason == "origin" else ()
    values = [(name.capitalize(), request.values(name.encode())) for name in names]
    shown = [f", {name} '{escape(found[0].decode('latin-1'))}'" for name, found in values if found]
    return describe_request(request) + "".join(shown) + f" (allowed: {allowed})" * bool(allowed)


def describe_request(request: Request) -> str:
    """Path and peer for the log; never the query, which may hold a token."""
    return f"{request.path[:200]!r} from {format_client(request.client)}"
