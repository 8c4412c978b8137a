"""HTTP/1.1: a connection's requests, one after the other, as the strict reader of the core finds them.

A request begins when the response before it is whole. Until then what came behind it waits, and the socket is not read:
a client can't make the server hold more than one read of what is not due yet.
"""

import asyncio
import contextvars
import dataclasses
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any, Protocol

from asgiref.typing import ASGI3Application

from awxfast._rust import RequestHead, RequestReader, RequestRefusal, SocketTransport
from awxfast.http.access_log import format_client
from awxfast.http.cycle import Cycle
from awxfast.http.handshakes import Handshakes
from awxfast.http.plain_connections import TLS_WEIGHT, PlainConnections
from awxfast.http.requests import Requests
from awxfast.http.timeouts import Timeouts
from awxfast.system.unread import is_gone, is_reset
from awxfast.wire.forwarded import Address, ForwardedHeaders, RootPathHeader
from awxfast.wire.handshake import RETRY, Headers, Refusal, encode_lines, encode_refusal
from awxfast.wire.request import Request

LINGER_SECONDS = 2.0
"""How long a refused client may take to read its answer; a close with unread bytes would take it away."""
HALF_CLOSED_SECONDS = 30.0
"""How long a client that has ended its side waits for a response that has not begun."""

BUSY = Refusal(503, "limit", "All places for requests are taken.", RETRY)
HEAD_TIMEOUT = Refusal(408, "head", "The request's head did not arrive in time.")


class Upgrades(Protocol):
    """Who decides about upgrades to websocket."""

    def open_websocket(self, http: "HttpProtocol", request: Request) -> None:
        """Calls `http.refuse` or `http.hand_over`, now or later."""

    def open_at_once(self, arrival: "Arrival") -> bool:
        """Takes an upgrade that nothing speaks against and nobody has to be asked about; else nothing has happened."""


@dataclasses.dataclass(slots=True)
class Arrival:
    """An upgrade whose head is sound, with the answer to its key, and what came behind it."""

    service: "HttpService"
    transport: SocketTransport
    request: Request
    accept_key: bytes
    behind: bytes


class HttpService:
    """What all connections of some listeners share, and the factory of their protocols.

    `max_head` in bytes, `head_timeout` in seconds (negative: none), `idle_timeout` in seconds between requests, between
    the parts of a body, and in which a client takes nothing of a response. Without `upgrades` all requests are the
    application's; without `root_paths` `Daphne-Root-Path` is a header like any other.
    """

    def __init__(
        self,
        application: ASGI3Application,
        handshakes: Handshakes,
        *,
        max_head: int,
        head_timeout: float,
        idle_timeout: float = 5,
        server_name: str = "",
        root_path: str = "",
        upgrades: Upgrades | None = None,
        forwarded: ForwardedHeaders | None = None,
        root_paths: RootPathHeader | None = None,
        requests: Requests | None = None,
        plain: PlainConnections | None = None,
    ) -> None:
        self.application = application
        self.handshakes = handshakes
        self.max_head = max_head
        self.heads = Timeouts(head_timeout, HttpProtocol.end_late_head)
        self.silences = Timeouts(idle_timeout, HttpProtocol.end_silence)
        self.lingers = Timeouts(LINGER_SECONDS, HttpProtocol.end_linger)
        self.half_closed = Timeouts(HALF_CLOSED_SECONDS, HttpProtocol.end_half_closed)
        self.root_path = root_path
        self.upgrades = upgrades
        self.forwarded = forwarded
        self.root_paths = root_paths
        self.requests = requests or Requests()
        self.plain = PlainConnections.of_process() if plain is None else plain
        self.connections: set[HttpProtocol] = set()
        self.context = contextvars.copy_context()
        """Requests begin in a copy of it each, whatever led to them."""
        self._server_header = [(b"server", server_name.encode("latin-1", "replace"))] if server_name else []
        self._described: list[tuple[bytes, bytes]] = []
        self._switching = b""
        self._second = 0

    def __call__(self) -> "HttpProtocol":
        """The protocol of a new connection."""
        return HttpProtocol(self)

    def serve_behind_tls(self, outside: asyncio.Transport) -> "HttpProtocol":
        """The protocol of a new connection whose client is at the other side of a TLS transport."""
        return HttpProtocol(self, outside)

    def open_at_once(self, transport: SocketTransport, head: RequestHead, accept_key: bytes, behind: bytes) -> bool:
        """Whether an upgrade that came first on its connection was taken, without a protocol or in its place."""
        if self.upgrades is None:
            return False
        former = transport.get_protocol()
        client, server = read_address(transport, "peername"), read_address(transport, "sockname")
        arrival = Arrival(self, transport, self.read_upgrade(head, client, server, "http"), accept_key, behind)
        if not self.upgrades.open_at_once(arrival):
            return False
        if isinstance(former, HttpProtocol):
            former.leave()
        return True

    def read_upgrade(self, head: RequestHead, client: Address | None, server: Address | None, scheme: str) -> Request:
        """The request of an upgrade, with what proxies say of its client."""
        root_path, client, scheme = self.read_forwarded(head.headers, client, scheme)
        return Request(
            "GET",
            head.version,
            head.path,
            head.query,
            tuple(head.headers),
            client,
            server,
            head.raw_path,
            root_path,
            scheme,
        )

    def read_forwarded(
        self, headers: list[tuple[bytes, bytes]], peer: Address | None, scheme: str
    ) -> tuple[str, Address | None, str]:
        """Root path, client and scheme, as far as proxies are believed; takes the first's header out."""
        root_path = self.root_paths.take(peer, headers) if self.root_paths else None
        client = peer
        if self.forwarded is not None:
            client = self.forwarded.find_client(peer, headers)
            scheme = self.forwarded.find_scheme(peer, headers) or scheme
        return self.root_path if root_path is None else root_path, client, scheme

    def describe_server(self) -> list[tuple[bytes, bytes]]:
        """The Date and Server headers of a response that starts now."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._described = [(b"date", formatdate(second, usegmt=True).encode()), *self._server_header]
            self._switching = encode_lines(b"", self._described)
        return self._described

    def describe_switching(self) -> bytes:
        """The same as they end the head of a 101."""
        self.describe_server()
        return self._switching

    def close(self) -> None:
        """Closes idle connections now, the others after their response."""
        for connection in list(self.connections):
            connection.shutdown()


class HttpProtocol(asyncio.Protocol):
    """One connection until it ends or becomes a websocket."""

    transport: asyncio.Transport

    def __init__(self, service: HttpService, outside: asyncio.Transport | None = None) -> None:
        """`outside` is a TLS transport that this connection's own has its bytes from."""
        self.service = service
        self.weight = 1 if outside is None else TLS_WEIGHT
        self.descriptor = -1
        self.on_lost: Callable[[], None] | None = None
        self.is_reading_paused = False
        self._outside = outside
        self._reader = RequestReader(service.max_head, max_trailers=service.max_head)
        self._cycle: Cycle | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._behind = b""
        self._is_deciding = False
        self._wants_head = False
        self._is_refused = False
        self._is_half_closed = False
        self._is_handed_over = False
        self._unwritten = 0
        self._drained: asyncio.Future[None] | None = None

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The time for the first head begins."""
        service = self.service
        self.transport = transport
        self.descriptor = transport.get_extra_info("socket").fileno()
        outside, self._outside = self._outside, None
        self.scheme = "http" if outside is None else "https"
        self.client = read_address(outside or transport, "peername")
        self.server = read_address(outside or transport, "sockname")
        service.connections.add(self)
        service.plain.add(self)
        service.heads.start(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells who answers a request or decides about an upgrade."""
        self._leave()
        self._wake_sender()
        if self._cycle is not None:
            self._cycle.disconnect()
        on_lost, self.on_lost = self.on_lost, None
        if on_lost is not None:
            on_lost()

    def leave(self) -> None:
        """The connection is another protocol's."""
        self._leave()
        self.on_lost = None
        self._is_handed_over = True
        self._wake_sender()

    def _leave(self) -> None:
        service = self.service
        service.connections.discard(self)
        service.plain.leave(self)
        service.heads.stop(self)
        service.silences.stop(self)
        service.lingers.stop(self)
        service.half_closed.stop(self)

    def eof_received(self) -> bool:
        """The client sends no more: half a close before the response begins, else its end."""
        cycle = self._cycle
        if cycle is None or self._is_refused or cycle.response_started or not cycle.is_whole:
            if cycle is not None and not self._is_refused:
                cycle.disconnect()
            self._close()
            return False
        self._is_half_closed = True
        if not self._has_more:
            cycle.end_keep_alive()
        self.service.half_closed.start(self)
        return True

    @property
    def _has_more(self) -> bool:
        """Whether something came behind the request."""
        return bool(self._behind) or self._reader.unread > 0

    def end_half_closed(self) -> None:
        """Whoever sends no more has waited long enough for a response to begin."""
        cycle = self._cycle
        if cycle is None or not cycle.response_started:
            self.abort()

    def shutdown(self) -> None:
        """The server stops: the response that is under way is the last."""
        if self._cycle is None or self._cycle.response_complete:
            self.transport.close()
        else:
            self._cycle.end_keep_alive()

    def abort(self) -> None:
        """Ends it at once."""
        self.transport.abort()

    # What comes in

    def data_received(self, data: bytes) -> None:
        """Reads on; what comes behind a request waits for its response."""
        if self._is_refused:
            return
        if self._is_answering:
            self._behind += data
            self.regulate()
        else:
            self._take(self._reader.receive(data))

    @property
    def _is_answering(self) -> bool:
        """Whether a request is whole, and its response is not."""
        cycle = self._cycle
        return self._is_deciding or (cycle is not None and cycle.is_whole and not cycle.response_complete)

    def _take(self, events: list[RequestHead | bytes | RequestRefusal | None]) -> None:
        for event in events:
            if self._is_refused:
                break
            if event is None:
                self._end_request()
            elif isinstance(event, bytes):
                self._receive_body(event)
            elif isinstance(event, RequestHead):
                self._begin_request(event)
            else:
                self._refuse_broken(event)
        if not self._is_gone:
            self.regulate()

    @property
    def _is_gone(self) -> bool:
        return self._is_handed_over or self.transport.is_closing()

    def regulate(self) -> None:
        """Whether the socket is read, and for how long it may be silent."""
        reader, cycle = self._reader, self._cycle
        held = self._has_more or (cycle is not None and cycle.is_full)
        waits = held and not self._is_refused
        if waits != self.is_reading_paused:
            self.is_reading_paused = waits
            if waits:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()
        if self._is_refused:
            return
        if reader.head_size and not waits:
            self.service.silences.stop(self)
            self.service.heads.start(self)
        elif cycle is not None and not waits and not self._is_answering:
            self.service.silences.restart(self)
        elif self._drained is None:
            self.service.silences.stop(self)

    def _begin_request(self, head: RequestHead) -> None:
        service = self.service
        service.heads.stop(self)
        self._headers = headers = head.headers
        self._wants_head = head.method == "HEAD"
        if head.offers_websocket and service.upgrades is not None and head.method == "GET":
            request = service.read_upgrade(head, self.client, self.server, self.scheme)
            self._cycle = None
            self._is_deciding = True
            service.plain.leave(self)
            service.upgrades.open_websocket(self, request)
        elif not service.plain.work(self):
            self._refuse(BUSY)
        else:
            root_path, client, scheme = service.read_forwarded(headers, self.client, self.scheme)
            scope = {
                "type": "http",
                "http_version": head.version,
                "method": head.method,
                "scheme": scheme,
                "path": head.path,
                "raw_path": head.raw_path,
                "query_string": head.query,
                "root_path": root_path,
                "headers": headers,
                "client": client,
                "server": self.server,
            }
            self._cycle = Cycle(self, scope, keeps_alive=head.keeps_alive, expects_continue=head.expects_continue)
            service.requests.begin(self._cycle, service.application, service.context.copy())

    def _receive_body(self, part: bytes) -> None:
        cycle = self._cycle
        if cycle is None or self._is_refused:
            return
        cycle.receive_body(part)
        if cycle.is_past_use:
            self._is_refused = True
            self._end_sending()

    def _end_request(self) -> None:
        if self._cycle is not None and not self._is_refused:
            self._cycle.receive_end()
            if self._cycle.response_complete:
                self._await_next()

    def _await_next(self) -> None:
        """The next request may begin, in a turn of the loop and in a context that are not those of the one before."""
        self.service.plain.wait(self)
        self._wants_head = False
        if self._is_half_closed and not self._has_more:
            self._close()
            return
        self.service.half_closed.stop(self)
        self.regulate()
        if self._has_more:
            self.service.silences.restart(self)
            asyncio.get_running_loop().call_soon(self._read_on, context=self.service.context)

    def _read_on(self) -> None:
        if not (self._is_refused or self._is_answering or self._is_gone):
            behind, self._behind = self._behind, b""
            self._take(self._reader.receive(behind))

    # What goes out

    def describe_server(self) -> Headers:
        """The server's own headers."""
        return self.service.describe_server()

    def write(self, data: bytes) -> None:
        """Writes, or drops what nobody can get any more."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def pause_writing(self) -> None:
        """The client takes nothing more at present; for how long it may is bounded."""
        if self._drained is None:
            self._drained = asyncio.get_running_loop().create_future()
        self._watch_unwritten()

    def _watch_unwritten(self) -> None:
        self._unwritten = self.transport.get_write_buffer_size()
        if self._unwritten:
            self.service.silences.restart(self)

    def resume_writing(self) -> None:
        """The client takes bytes again."""
        if not self.transport.is_closing() and (self._is_answering or self._is_refused):
            self.service.silences.stop(self)
        else:
            self._unwritten = self.transport.get_write_buffer_size()
        self._wake_sender()

    def _wake_sender(self) -> None:
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    async def drain(self) -> None:
        """Returns when there is room for more, or nobody is there."""
        if self._drained is not None:
            await asyncio.shield(self._drained)

    def cut(self) -> None:
        """The response can't be ended in order: the connection's end tells it."""
        self._close()

    def _close(self) -> None:
        """What was written goes out first, as long as the client takes it."""
        if not self.transport.is_closing():
            self._is_refused = True
            self.service.plain.wait(self)
            self._watch_unwritten()
            self.transport.close()

    def end_response(self, *, keeps_alive: bool) -> None:
        """The response is whole."""
        cycle = self._cycle
        if cycle is None or self._is_gone:
            return
        if not keeps_alive:
            self._is_refused = True
            if cycle.is_whole and not self._has_more:
                self._close()
            else:
                self.service.plain.wait(self)
                self._end_sending()
            return
        self._watch_unwritten()
        if cycle.is_whole:
            self._await_next()
        else:
            self.service.plain.wait(self)
            self.regulate()

    # Refusals

    def _refuse_broken(self, event: RequestRefusal) -> None:
        limit = self.service.max_head
        text = f"The request can't be read soundly: {event.reason}."
        if event.reason == "head size":
            text = f"The request's head is over the limit of {limit} bytes (--max-head)."
        self._refuse(Refusal(event.status, "head", text))

    def _refuse(self, refusal: Refusal) -> None:
        """A request that is being answered never ends: for its application the client is gone."""
        cycle = self._cycle
        begun = cycle is not None and not cycle.is_whole and cycle.response_started
        if cycle is not None:
            cycle.disconnect()
        self.refuse(refusal, f"a request from {format_client(self._find_client())}", answered=begun)

    def _find_client(self) -> Address | None:
        forwarded = self.service.forwarded
        return forwarded.find_client(self.client, self._headers) if forwarded else self.client

    def refuse(self, refusal: Refusal, subject: str, *, answered: bool = False) -> None:
        """Answers, counts, and ends the connection when the client has had time to read; `subject` is for the log.

        `answered`: it has the beginning of another response, which can only be cut off.
        """
        self.service.handshakes.refuse(refusal.reason, subject, refusal.text)
        answer = b"" if answered else encode_refusal(refusal, self.service.describe_server())
        self.begin_answer(answer.removesuffix(refusal.body) if self._wants_head else answer)
        self.end_answer()

    def begin_answer(self, data: bytes) -> None:
        """Writes the beginning of an answer that is the connection's last. `end_answer` follows."""
        self._is_refused = True
        self._is_deciding = False
        self.service.heads.stop(self)
        self.service.silences.stop(self)
        if not self.transport.is_closing():
            self.service.plain.wait(self)
        self.write(data)

    def end_answer(self) -> None:
        """The answer is whole: the connection ends behind it."""
        self.on_lost = None
        if not self.transport.is_closing():
            self._end_sending()

    def _end_sending(self) -> None:
        """The client has time to read; what it sends is read to no purpose."""
        self.transport.write_eof()
        self.service.silences.stop(self)
        self.service.lingers.start(self)
        self.regulate()

    def hand_over(self, successor: asyncio.BaseProtocol) -> tuple[asyncio.Transport, bytes]:
        """Leaves the connection to another protocol: its transport, and what came behind the upgrade's head."""
        self.leave()
        self.transport.set_protocol(successor)
        if self.is_reading_paused:
            self.transport.resume_reading()
        return self.transport, self._reader.take_unread() + self._behind

    # The time for a head, and the place

    def end_late_head(self) -> None:
        """The head did not arrive in time."""
        if self._reader.head_size == 0:
            self.transport.close()  # a connection that was opened ahead of need; no request waits for an answer
        else:
            self._cycle = None
            self._refuse(HEAD_TIMEOUT)

    def end_silence(self) -> None:
        """Nothing came, or nothing was taken."""
        left = self.transport.get_write_buffer_size()
        if left and left >= self._unwritten:
            self.abort()
        elif left:
            self._watch_unwritten()
        elif not self._is_answering:
            self.transport.close()

    def end_linger(self) -> None:
        """The time to read an answer is up."""
        if self.transport.is_closing():
            self.abort()
        else:
            self._close()

    def end_idle(self) -> None:
        """Somebody else needs the descriptor. What was written may still be read."""
        if self.transport.get_write_buffer_size():
            self.transport.close()
            self.service.lingers.start(self)
        else:
            self.abort()

    @property
    def awaits_body(self) -> bool:
        """Whether the next step is the client's: more of a body that there is room for."""
        cycle = self._cycle
        return cycle is not None and not (cycle.is_whole or cycle.is_full)

    @property
    def is_taken(self) -> bool:
        """Whether the kernel has all that was written."""
        return not self.transport.get_write_buffer_size()

    @property
    def is_between(self) -> bool:
        """Whether nothing of a request is here, so that any process may go on with it."""
        is_silent = self._reader.is_between and not self._has_more and not self._is_answering and not self._is_refused
        return is_silent and self.is_taken and not self._is_gone and self.weight == 1

    def look(self) -> None:
        """Twice a second: a client that is not read may be gone. What it sent before half a close still counts."""
        cycle = self._cycle
        if self._is_gone or not self.is_reading_paused or cycle is None:
            return
        sock = self.transport.get_extra_info("socket")
        if not is_gone(sock):
            return
        if cycle.response_started or is_reset(sock):
            self.abort()
        else:
            self.service.half_closed.start(self)


def read_address(transport: asyncio.Transport | SocketTransport, end: str) -> tuple[str, int] | None:
    """`peername` or `sockname`; None for a unix socket."""
    address: Any = transport.get_extra_info(end)
    return (address[0], address[1]) if isinstance(address, tuple) else None
