"""HTTP/1.1: a connection's requests, one after the other, as the strict reader of the core finds them.

A request begins when the response before it is whole. Until then what came behind it waits, and the socket is not read:
a client can't make the server hold more than one read of what is not due yet.
"""

import asyncio
from typing import Any

from awxfast._rust import RequestHead, RequestRefusal, SocketTransport
from awxfast.http.cycle import Cycle
from awxfast.http.plain_connections import TLS_WEIGHT
from awxfast.http.refusals import BUSY, OVERHEAD, RefusingSide
from awxfast.http.shared import Shared
from awxfast.system.unread_bytes import is_gone, is_reset


class HttpProtocol(RefusingSide):
    """One connection until it ends or becomes a websocket."""

    def __init__(self, service: Shared, outside: asyncio.Transport | None = None) -> None:
        """`outside` is a TLS transport that this connection's own has its bytes from."""
        super().__init__(service, 1 if outside is None else TLS_WEIGHT)
        self._outside = outside
        self._is_half_closed = False
        self._is_handed_over = False

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
        self._asker = self.client
        service.connections.add(self)
        self._plain.add(self)
        service.heads.start(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells who answers a request or decides about an upgrade."""
        self._leave()
        self._wake_sender()
        if self._cycle is not None:
            self._cycle.disconnect()
        self._tell_lost()
        self._forget_request()

    def leave(self) -> None:
        """The connection is another protocol's."""
        self._leave()
        self.on_lost = None
        self._is_handed_over = True
        self._wake_sender()

    def _leave(self) -> None:
        service = self.service
        service.connections.discard(self)
        self._plain.leave(self)
        self._plain.unanswered.forget(self)
        service.heads.stop(self)
        self._silences.stop(self)
        self._lingers.stop(self)
        service.half_closed.stop(self)

    def eof_received(self) -> bool:
        """The client sends no more: half a close before the response begins, else its end."""
        cycle = self._cycle
        if cycle is None or self._is_ending or cycle.response_started or not cycle.is_whole:
            if cycle is not None and not self._is_ending:
                cycle.disconnect()
            self._tell_lost()  # before the request is forgotten, which may be left behind
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

    @property
    def is_new(self) -> bool:
        """Whether nothing was asked on it yet."""
        return self._cycle is None

    def shutdown(self) -> None:
        """The server stops: the response that is under way is the last."""
        if self._cycle is None or self._cycle.response_complete:
            self.transport.close()
        else:
            self._cycle.end_keep_alive()

    def end_keep_alive(self) -> None:
        """The response that is under way is the last."""
        if self._cycle is not None:
            self._cycle.end_keep_alive()

    # What comes in

    def data_received(self, data: bytes) -> None:
        """Reads on; what comes behind a request waits for its response."""
        if self._is_ending:
            return
        if self.is_answering:
            self._behind += data
            self.regulate()
        else:
            self._take(self._reader.receive(data))

    @property
    def is_answering(self) -> bool:
        """Whether a request is whole, and its response is not."""
        cycle = self._cycle
        return self._is_deciding or (cycle is not None and cycle.is_whole and not cycle.response_complete)

    def _take(self, events: list[RequestHead | bytes | RequestRefusal | None]) -> None:
        for event in events:
            if self._is_ending:
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
        waits = held and not self._is_ending
        self._pause_reading(waits)
        if self._is_ending:
            return
        if reader.head_size and not waits:
            self._silences.stop(self)
            self.service.heads.start(self)
        elif not waits and not self.is_answering:
            self._silences.restart(self)
        elif self._drained is None:
            self._silences.stop(self)
        self._count_held()

    def _count_held(self) -> None:
        """Of all connections it is bounded, and this one may have to go for it: so nothing else follows."""
        cycle = self._cycle
        held = self._reader.held + len(self._behind) + self.head_memory + (0 if cycle is None else cycle.held)
        if held:
            self._plain.unanswered.count(self, held + OVERHEAD, is_whole=self.is_answering)
        else:
            self._plain.unanswered.forget(self)

    def _begin_request(self, head: RequestHead) -> None:
        service = self.service
        service.heads.stop(self)
        self.head_memory = head.memory
        self._wants_head = head.method == "HEAD"
        if head.offers_websocket and service.upgrades is not None and head.method == "GET":
            request = service.proxies.read_upgrade(head, self.client, lambda: self.server, self.scheme)
            self._asker = request.client
            self._cycle = None
            self._is_deciding = True
            self._plain.leave(self)
            service.upgrades.open_websocket(self, request)
        elif not self._plain.work(self):
            self._asker = service.proxies.read_client(head, self.client)
            self._refuse(BUSY)
        else:
            scope = service.proxies.read_scope(head, self.client, self.server, self.scheme)
            self._asker = scope["client"]
            keeps_alive = head.keeps_alive and not service.is_leaving
            self._cycle = Cycle(self, scope, keeps_alive=keeps_alive, expects_continue=head.expects_continue)
            service.requests.begin(self._cycle, service.application, service.context.copy())

    def _receive_body(self, part: bytes) -> None:
        cycle = self._cycle
        if cycle is None or self._is_ending:
            return
        cycle.receive_body(part)
        if cycle.is_past_use:
            self._end_sending()

    def _end_request(self) -> None:
        if self._cycle is not None and not self._is_ending:
            self._cycle.receive_end()
            if self._cycle.response_complete:
                self._await_next()

    def _await_next(self) -> None:
        """The next request may begin, in a turn of the loop and in a context that are not those of the one before."""
        self._plain.wait(self)
        self._forget_request()  # with its head, which may be large: the next one may be a minute away
        self._wants_head = False
        self.service.half_closed.stop(self)
        if self._is_half_closed and not self._has_more:
            self._close()
            return
        self.regulate()
        if self._has_more:
            self._silences.restart(self)
            asyncio.get_running_loop().call_soon(self._read_on, context=self.service.context)

    def _read_on(self) -> None:
        if not (self._is_ending or self.is_answering or self._is_gone):
            behind, self._behind = self._behind, b""
            self._take(self._reader.receive(behind))

    # What goes out

    def end_response(self, *, keeps_alive: bool) -> None:
        """The response is whole."""
        cycle = self._cycle
        if cycle is None or self._is_gone:
            return
        if not keeps_alive:
            if cycle.is_whole and not self._has_more:
                self._close()
            else:
                self._plain.wait(self)
                self._end_sending()
            return
        self._watch_unwritten()
        if cycle.is_whole:
            self._await_next()
        else:
            self._plain.wait(self)
            self.regulate()

    def hand_over(self, successor: asyncio.BaseProtocol) -> tuple[asyncio.Transport, bytes]:
        """Leaves the connection to another protocol: its transport, and what came behind the upgrade's head."""
        self.leave()
        self.transport.set_protocol(successor)
        if self.is_reading_paused:
            self.transport.resume_reading()
        return self.transport, self._reader.take_unread() + self._behind

    # What the list of connections asks

    @property
    def awaits_body(self) -> bool:
        """Whether the next step is the client's: more of a body that there is room for."""
        cycle = self._cycle
        return cycle is not None and not (cycle.is_whole or cycle.is_full)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing of a request is here."""
        is_silent = self._reader.is_between and not self._has_more and not self.is_answering and not self._is_ending
        return is_silent and self.is_taken and not self._is_gone

    @property
    def is_between(self) -> bool:
        """Whether any process may go on with it: nothing of a request is here, and no TLS outside."""
        return self.is_quiet and self.weight == 1

    def look(self) -> bool:
        """Twice a second: a client that is not read may be gone. What it sent before half a close still counts."""
        cycle = self._cycle
        if self._is_gone or not self.is_reading_paused or cycle is None:
            return False
        sock = self.transport.get_extra_info("socket")
        if not is_gone(sock):
            return False
        if cycle.response_started or is_reset(sock):
            self.abort()
        else:
            self.service.half_closed.start(self)
        return True


def read_address(transport: asyncio.Transport | SocketTransport, end: str) -> tuple[str, int] | None:
    """`peername` or `sockname`; None for a unix socket."""
    address: Any = transport.get_extra_info(end)
    return (address[0], address[1]) if isinstance(address, tuple) else None
