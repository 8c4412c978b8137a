"""HTTP/1.1: uvicorn's reader of requests, mended where a server on the open network needs it.

What uvicorn leaves out: a limit on heads and on the time they take, control bytes in header values, bytes behind an
upgrade's head, upgrades behind a request that has no response yet, `Upgrade` and `Connection` over several lines, the
bodies of upgrades that nobody honours, trailers, and a path that stays as it was sent when there is a root path.

The parser gets one head or a part of one body at a time, each as far as awxfast itself says that it reaches. Where the
two disagree the connection ends: whoever stands in front may have seen a third thing, and let it pass.
"""

import asyncio
import time
import urllib.parse
from collections.abc import Callable
from email.utils import formatdate
from typing import Protocol

import httptools
from asgiref.typing import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from awxfast.http.access_log import format_client
from awxfast.http.handshakes import Handshakes
from awxfast.http.head_timeouts import HeadTimeouts
from awxfast.http.plain_connections import TLS_WEIGHT, PlainConnections
from awxfast.http.requests import Requests
from awxfast.wire.forwarded import ForwardedHeaders, RootPathHeader
from awxfast.wire.handshake import RETRY, Refusal, encode_refusal, wants_websocket
from awxfast.wire.heads import (
    BARE_LINE_FEED,
    HIDDEN_UPGRADE,
    INVALID_VALUE,
    NO_REQUEST,
    REQUEST_LINE,
    HeadFinder,
    find_body_length,
    has_whole_line_ends,
    hide_upgrade,
    is_plain,
)
from awxfast.wire.request import Request

LINGER_SECONDS = 2.0
"""How long a refused client may take to read its answer; a close with unread bytes would take it away."""
DISCARD_BYTES = 262_144
"""How much of a body is read to no purpose, so that the connection can go on behind it."""
PIECES_A_TURN = 64
"""How much is parsed before others have their turn: bodies can be made of nothing but ends of pieces."""

MALFORMED = Refusal(400, "head", "This is not an HTTP request.")
UNSOUND_LENGTH = Refusal(400, "head", "The head does not say soundly where the body ends.")
INVALID_HEADER = Refusal(400, "head", "A header value has control bytes.")
BUSY = Refusal(503, "limit", "All places for requests are taken.", RETRY)
HEAD_TIMEOUT = Refusal(408, "head", "The request's head did not arrive in time.")


class Upgrades(Protocol):
    """Who decides about upgrades to websocket."""

    def open_websocket(self, http: "HttpProtocol", request: Request) -> None:
        """Calls `http.refuse` or `http.hand_over`, now or later."""


class HttpService:
    """What all connections of some listeners share, and the factory of their protocols.

    `max_head` in bytes, `head_timeout` in seconds (negative: none), `idle_timeout` in seconds between requests and
    between the parts of a body. Without `upgrades` all requests are the application's; without `root_paths`
    `Daphne-Root-Path` is a header like any other.
    """

    def __init__(
        self,
        application: ASGI3Application,
        handshakes: Handshakes,
        *,
        max_head: int,
        head_timeout: float,
        idle_timeout: int = 5,
        server_name: str = "",
        root_path: str = "",
        upgrades: Upgrades | None = None,
        forwarded: ForwardedHeaders | None = None,
        root_paths: RootPathHeader | None = None,
        requests: Requests | None = None,
        plain: PlainConnections | None = None,
    ) -> None:
        self.config = configure_uvicorn(application)
        self.state = ServerState()
        self.handshakes = handshakes
        self.max_head = max_head
        self.heads = HeadTimeouts(head_timeout)
        self.idle_timeout = idle_timeout
        self.root_path = root_path
        self.upgrades = upgrades
        self.forwarded = forwarded
        self.root_paths = root_paths
        self.requests = requests or Requests()
        self.plain = PlainConnections.of_process() if plain is None else plain
        self._server_header = [(b"server", server_name.encode("latin-1", "replace"))] if server_name else []
        self._second = 0

    def __call__(self) -> "HttpProtocol":
        """The protocol of a new connection."""
        return HttpProtocol(self)

    def serve_behind_tls(self, outside: asyncio.Transport) -> "HttpProtocol":
        """The protocol of a new connection whose client is at the other side of a TLS transport."""
        return HttpProtocol(self, outside)

    def describe_server(self) -> list[tuple[bytes, bytes]]:
        """The Date and Server headers of a response that starts now."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self.state.default_headers = [(b"date", formatdate(second, usegmt=True).encode()), *self._server_header]
        return self.state.default_headers

    def close(self) -> None:
        """Closes idle connections now, the others after their response."""
        for connection in list(self.state.connections):
            connection.shutdown()


class HttpProtocol(HttpToolsProtocol):
    """One connection until it ends or becomes a websocket."""

    def __init__(self, service: HttpService, outside: asyncio.Transport | None = None) -> None:
        """`outside` is a TLS transport that this connection's own has its bytes from."""
        super().__init__(service.config, service.state, {})
        self.access_log = False  # uvicorn's own would show query strings
        self.timeout_keep_alive = service.idle_timeout
        self.service = service
        self._outside = outside
        self.weight = 1 if outside is None else TLS_WEIGHT
        self.descriptor = -1
        self.on_lost: Callable[[], None] | None = None
        self._heads = HeadFinder()
        self._doubtful = False
        self._fault: Refusal | None = None
        self._content = b""
        self._expects_head = False
        self._upgrade: Request | None = None
        self._unread = b""
        self._at = 0
        self._waiting: Callable[[], None] | None = None
        self._running: RequestResponseCycle | None = None
        self._discarded = 0
        self._refused = False

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The time for the first head begins."""
        self.connections.add(self)
        self.transport = transport
        self.descriptor = transport.get_extra_info("socket").fileno()
        self.service.plain.add(self)
        self.flow = FlowControl(transport)
        outside, self._outside = self._outside, None
        self.scheme = "http" if outside is None else "https"
        self.client = read_address(outside or transport, "peername")
        self.server = read_address(outside or transport, "sockname")
        self.service.heads.start(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets what was to come, and tells who answers a request or decides about an upgrade."""
        self.service.heads.stop(self)
        self.service.plain.leave(self)
        self._waiting = None
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True  # uvicorn tells the request that came last, which may wait for this one
            self._running.message_event.set()
        super().connection_lost(exc)
        on_lost, self.on_lost = self.on_lost, None
        if on_lost is not None:
            on_lost()

    def data_received(self, data: bytes) -> None:
        """Reads heads and bodies; holds what comes behind an upgrade until somebody else takes the connection over."""
        if self._refused:
            return
        self._unset_keepalive_if_required()
        waits = self._at < len(self._unread) or self._upgrade is not None
        self._unread = self._unread[self._at :] + data
        self._at = 0
        if waits:
            self.flow.pause_reading()
        else:
            self._parse()
            self._await_body()

    def _await_body(self) -> None:
        """The rest of a body may take its time, but not for ever."""
        if not self._heads.in_head and not self._refused and self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self._end_silent_body)

    def _end_silent_body(self) -> None:
        """Silence is the client's only while somebody listens."""
        self.timeout_keep_alive_task = None
        if self.flow.read_paused:
            self._await_body()
        else:
            self.transport.close()

    def _parse(self) -> None:
        """Parses until there is something that has to wait; one request may wait for the response before it."""
        pieces = 0
        try:
            while self._has_more() and pieces < PIECES_A_TURN:
                self._parse_piece()
                pieces += 1
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse_in_turn(self._fault or MALFORMED)
        if self._at == len(self._unread):
            self._unread, self._at = b"", 0
        if self._upgrade is not None:
            self._take_turn(self._open_websocket)
        elif self._has_more():
            self.loop.call_soon(self._go_on)

    def _has_more(self) -> bool:
        return self._at < len(self._unread) and not (self._upgrade or self.pipeline or self._refused)

    def _go_on(self) -> None:
        """The others had their turn."""
        if self._has_more() and not self.transport.is_closing():
            self._parse()
            self._await_body()
        if self._at == len(self._unread) and self._upgrade is None and not self.transport.is_closing():
            self.flow.resume_reading()

    def _parse_piece(self) -> None:
        """Parses a piece that ends where a head or a body ends, if one does."""
        in_head = self._heads.in_head
        if in_head:
            self.service.heads.start(self)
        begin, self._at = self._at, self._heads.find_piece_end(self._unread, self._at)
        piece = self._unread[begin : self._at]
        if self._heads.size > self.service.max_head:
            self._refuse_in_turn(too_large(self.service.max_head))
        elif in_head:
            self._parse_head(piece)
        else:
            self._parse_body(piece)

    def _parse_head(self, piece: bytes) -> None:
        """Parses a head when this piece is its last."""
        whole = self._heads.complete(piece)
        if not whole:
            begins = self._heads.size == len(piece)
            if (begins and NO_REQUEST.match(piece)) or BARE_LINE_FEED.search(piece):
                self._fault = MALFORMED
        elif whole.strip(b"\r\n"):
            self._doubtful = not is_plain(whole)
            if not REQUEST_LINE.match(whole) or (self._doubtful and not has_whole_line_ends(whole)):
                self._fault = MALFORMED
            else:
                self._expects_head = True
                self.parser = httptools.HttpRequestParser(self)  # a trailer of the request before would change it
                self.parser.feed_data(hide_upgrade(whole))
        if self._fault is not None:
            self._refuse_in_turn(self._fault)

    def _parse_body(self, piece: bytes) -> None:
        self._content = b""
        self.parser.feed_data(piece)
        if self._content and not self._heads.in_head:
            self._heads.count_behind(piece, self._content)

    # What the parser finds

    def on_message_begin(self) -> None:
        """httptools calls it where a request begins."""
        if not self._expects_head:
            raise httptools.HttpParserError("the parser sees a request where there is a body")
        self._expects_head = False
        super().on_message_begin()
        self._discarded = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Drops names with `_`, which an application can't tell from those with `-`, and trailers, which are none."""
        if not self._heads.in_head:
            return
        if self._doubtful and INVALID_VALUE.search(value):
            self._fault = INVALID_HEADER
        if name == HIDDEN_UPGRADE:
            super().on_header(b"upgrade", value)
        elif b"_" not in name:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A head is whole: an upgrade, or a request for the application."""
        self.service.heads.stop(self)
        version = self.parser.get_http_version()
        length = find_body_length(version, self.headers)
        if self._fault is None and self.parser.should_upgrade():
            self._fault = MALFORMED  # CONNECT: the only upgrade that the parser sees
        elif self._fault is None and length is None:
            self._fault = UNSOUND_LENGTH
        if self._fault is not None or length is None:
            return
        self._apply_proxy_headers()
        if self._wants_websocket(version):
            self._upgrade = self._describe_request(version)
        elif not self.service.plain.work(self):
            self._fault = BUSY
            return
        else:
            self.service.describe_server()
            super().on_headers_complete()
        self._heads.begin_body(length)

    def _wants_websocket(self, version: str) -> bool:
        """Any other upgrade is not honoured (RFC 9110 section 7.8): a request like all others, with its body."""
        return (
            self.service.upgrades is not None
            and self.parser.get_method() == b"GET"
            and wants_websocket(version, self.headers)
        )

    def _apply_proxy_headers(self) -> None:
        """Where the site is mounted, and whose request this is, as a proxy in front says it."""
        service = self.service
        root_path = service.root_paths.take(self.client, self.headers) if service.root_paths else None
        self.scope["root_path"] = service.root_path if root_path is None else root_path
        if service.forwarded is not None:
            self.scope["client"] = service.forwarded.find_client(self.client, self.headers)
            self.scope["scheme"] = service.forwarded.find_scheme(self.client, self.headers) or self.scope["scheme"]

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:  # type: ignore[override]
        self._running = cycle
        self.service.requests.begin(cycle, app)

    def on_body(self, body: bytes) -> None:
        """Only the application gets bodies. What comes of one after the response is dropped, up to a limit."""
        if self._upgrade is None and self._fault is None:
            self._content = body
            super().on_body(body)
            if self.cycle.response_complete:
                self._discarded += len(body)
                if self._discarded > DISCARD_BYTES and not self._refused:
                    self._refused = True
                    self._end_sending()

    def on_message_complete(self) -> None:
        """The next byte begins a head."""
        self._heads.begin_head()
        if self._upgrade is None and self._fault is None:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Goes on with what had to wait for the response."""
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if not self.pipeline and self.cycle.response_complete:
            self.service.plain.wait(self)
        if self._waiting is not None and self.cycle.response_complete:
            step, self._waiting = self._waiting, None
            step()
        elif self._has_more():
            self._unset_keepalive_if_required()
            self._parse()

    def _describe_request(self, version: str) -> Request:
        url = httptools.parse_url(self.url)
        return Request(
            method=self.parser.get_method().decode("ascii"),
            version=version,
            path=urllib.parse.unquote(url.path.decode("ascii")),
            query=url.query or b"",
            headers=tuple(self.headers),
            client=self.scope["client"],
            server=self.server,  # type: ignore[arg-type]
            raw_path=url.path,
            root_path=self.scope["root_path"],
            scheme=self.scope["scheme"],
        )

    def _find_client(self) -> tuple[str, int] | None:
        forwarded = self.service.forwarded
        return forwarded.find_client(self.client, self.headers or ()) if forwarded else self.client

    # What comes of it

    def _take_turn(self, step: Callable[[], None]) -> None:
        """Does `step` when every earlier request has its response."""
        if self.cycle is None or self.cycle.response_complete:
            step()
        else:
            self._waiting = step

    def _open_websocket(self) -> None:
        self._unset_keepalive_if_required()
        self.service.plain.leave(self)
        if self.service.upgrades is not None and self._upgrade is not None:
            self.service.upgrades.open_websocket(self, self._upgrade)

    def _refuse_in_turn(self, refusal: Refusal) -> None:
        self._refused = True
        subject = f"a request from {format_client(self._find_client())}"
        if self._heads.in_head:
            self._take_turn(lambda: self.refuse(refusal, subject))
        else:
            self._refuse_body(refusal, subject)

    def _refuse_body(self, refusal: Refusal, subject: str) -> None:
        """The request that is being answered never ends: for its application the client is gone."""
        cycle = self.cycle
        begun = cycle.response_started and not cycle.response_complete
        cycle.disconnected = True
        cycle.message_event.set()
        self.refuse(refusal, subject, answered=begun)

    def refuse(self, refusal: Refusal, subject: str, *, answered: bool = False) -> None:
        """Answers, counts, and ends the connection when the client has had time to read; `subject` is for the log.

        `answered`: it has the beginning of another response, which can only be cut off.
        """
        self.service.handshakes.refuse(refusal.reason, subject, refusal.text)
        self.begin_answer(b"" if answered else encode_refusal(refusal, self.service.describe_server()))
        self.end_answer()

    def begin_answer(self, data: bytes) -> None:
        """Writes the beginning of an answer that is the connection's last. `end_answer` follows."""
        self._refused = True
        if not self.transport.is_closing():
            self.service.plain.wait(self)
        self.service.heads.stop(self)
        self._unset_keepalive_if_required()
        self.write_answer(data)

    def write_answer(self, data: bytes) -> None:
        """Writes a part of it; `flow.drain` tells when there is room for more."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def end_answer(self) -> None:
        """The answer is whole: the connection ends behind it."""
        self.on_lost = None
        if not self.transport.is_closing():
            self._end_sending()

    def _end_sending(self) -> None:
        self.transport.write_eof()
        self.flow.resume_reading()
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(LINGER_SECONDS, self.timeout_keep_alive_handler)

    def hand_over(self, successor: asyncio.BaseProtocol) -> tuple[asyncio.Transport, bytes]:
        """Leaves the connection to another protocol: its transport, and what came behind the upgrade's head."""
        self.service.heads.stop(self)
        self._unset_keepalive_if_required()
        self.on_lost = None
        self.service.plain.leave(self)
        self.connections.discard(self)
        self.transport.set_protocol(successor)
        self.flow.resume_reading()
        self.parser = self.cycle = None  # type: ignore[assignment]
        return self.transport, self._unread[self._at :]

    # The time for a head, and the place

    def end_idle(self) -> None:
        """Somebody else needs the descriptor. What was written may still be read."""
        if self.transport.get_write_buffer_size():
            self.transport.close()
            self.loop.call_later(LINGER_SECONDS, self.transport.abort)
        else:
            self.transport.abort()

    def end_late_head(self) -> None:
        """The head did not arrive in time."""
        if self._heads.size == 0:
            self.transport.close()  # a connection that was opened ahead of need; no request waits for an answer
        else:
            self._refuse_in_turn(HEAD_TIMEOUT)


def read_address(transport: asyncio.Transport, end: str) -> tuple[str, int] | None:
    """`peername` or `sockname`; None for a unix socket. uvicorn's own way makes a socket object and asks the kernel."""
    address = transport.get_extra_info(end)
    return (address[0], address[1]) if isinstance(address, tuple) else None


def configure_uvicorn(application: ASGI3Application) -> Config:
    """uvicorn's configuration with all of it off that awxfast does itself: logs, lifespan, forwarded headers."""
    config = Config(
        application,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
    )
    config.load()
    return config


def too_large(limit: int) -> Refusal:
    """The refusal of a head over `limit` bytes."""
    return Refusal(431, "head", f"The request's head is over the limit of {limit} bytes (--max-head).")
