"""HTTP/1.1: uvicorn's reader of requests, mended where a server on the open network needs it.

What uvicorn leaves out: a limit on heads and on the time they take, control bytes in header values, bytes behind an
upgrade's head, upgrades behind a request that has no response yet, `Upgrade` and `Connection` over several lines, and a
path that stays as it was sent when there is a root path.
"""

import asyncio
import re
import time
import urllib.parse
from collections.abc import Callable
from email.utils import formatdate
from typing import Protocol

import httptools
from asgiref.typing import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from awxfast.sessions.access_log import format_client
from awxfast.sessions.handshakes import Handshakes
from awxfast.wire.forwarded import ForwardedHeaders
from awxfast.wire.handshake import Refusal, encode_refusal, wants_websocket
from awxfast.wire.heads import HeadFinder
from awxfast.wire.request import Request

INVALID_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f\x85]")
LINGER_SECONDS = 2.0
"""How long a refused client may take to read its answer; a close with unread bytes would take it away."""

MALFORMED = Refusal(400, "malformed", "This is not an HTTP request.")
INVALID_HEADER = Refusal(400, "header", "A header value has control bytes.")
HEAD_TIMEOUT = Refusal(408, "head_timeout", "The request's head did not arrive in time.")


class Upgrades(Protocol):
    """Who decides about upgrades to websocket."""

    def open_websocket(self, http: "HttpProtocol", request: Request) -> None:
        """Calls `http.refuse` or `http.hand_over`, now or later."""


class HttpService:
    """What all connections of some listeners share, and the factory of their protocols.

    `max_head` in bytes, `head_timeout` in seconds (negative: none). Without `upgrades` all requests are the
    application's.
    """

    def __init__(
        self,
        application: ASGI3Application,
        handshakes: Handshakes,
        *,
        max_head: int,
        head_timeout: float,
        server_name: str = "",
        root_path: str = "",
        upgrades: Upgrades | None = None,
        forwarded: ForwardedHeaders | None = None,
    ) -> None:
        self.config = Config(
            application,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
        )
        self.config.load()
        self.state = ServerState()
        self.handshakes = handshakes
        self.max_head = max_head
        self.head_timeout = head_timeout
        self.root_path = root_path
        self.upgrades = upgrades
        self.forwarded = forwarded
        self._server_header = [(b"server", server_name.encode("latin-1", "replace"))] if server_name else []
        self._second = 0

    def __call__(self) -> "HttpProtocol":
        """The protocol of a new connection."""
        return HttpProtocol(self)

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

    def __init__(self, service: HttpService) -> None:
        super().__init__(service.config, service.state, {})
        self.access_log = False  # uvicorn's own would show query strings
        self.service = service
        self._heads = HeadFinder()
        self._head_timer: asyncio.TimerHandle | None = None
        self._header_fault = False
        self._upgrade: Request | None = None
        self._unread = b""
        self._at = 0
        self._waiting: Callable[[], None] | None = None
        self._refused = False

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the time for the first head."""
        super().connection_made(transport)
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets what was to come."""
        self._stop_head_timer()
        self._waiting = None
        super().connection_lost(exc)

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

    def _parse(self) -> None:
        """Parses until there is something that has to wait; one request may wait for the response before it."""
        try:
            while self._at < len(self._unread) and not (self._upgrade or self.pipeline or self._refused):
                self._parse_piece()
        except httptools.HttpParserError:
            self._refuse_in_turn(MALFORMED)
        if self._at == len(self._unread):
            self._unread, self._at = b"", 0
        if self._upgrade is not None:
            self._take_turn(self._open_websocket)

    def _parse_piece(self) -> None:
        """Parses a piece that ends where a head ends, if one does."""
        if self._heads.in_head and self._head_timer is None:
            self._start_head_timer()
        begin, self._at = self._at, self._heads.find_piece_end(self._unread, self._at)
        if self._heads.size > self.service.max_head:
            self._refuse_in_turn(too_large(self.service.max_head))
            return
        try:
            self.parser.feed_data(self._unread[begin : self._at])
        except httptools.HttpParserUpgrade as upgrade:
            self._at = begin + upgrade.args[0]
        if self._header_fault:
            self._refuse_in_turn(INVALID_HEADER)

    # What the parser finds

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.scope["root_path"] = self.service.root_path

    def on_header(self, name: bytes, value: bytes) -> None:
        """Drops names with `_`, which an application can't tell from those with `-`."""
        if INVALID_VALUE.search(value):
            self._header_fault = True
        if b"_" not in name:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A head is whole: an upgrade, or a request for the application."""
        self._heads.begin_body()
        self._stop_head_timer()
        if self._header_fault:
            return
        version = self.parser.get_http_version()
        if (
            self.service.upgrades is not None
            and self.parser.should_upgrade()
            and wants_websocket(version, self.headers)
        ):
            self._upgrade = self._describe_request(version)
            return
        self.service.describe_server()
        self.scope["client"] = self._find_client()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Only the application gets bodies."""
        if self._upgrade is None and not self._header_fault:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The next byte begins a head."""
        self._heads.begin_head()
        if self._upgrade is None and not self._header_fault:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Goes on with what had to wait for the response."""
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self._waiting is not None and self.cycle.response_complete:
            step, self._waiting = self._waiting, None
            step()
        elif self._at < len(self._unread) and self._upgrade is None:
            self._unset_keepalive_if_required()
            self._parse()

    def _should_upgrade(self) -> bool:
        return self._upgrade is not None

    def _describe_request(self, version: str) -> Request:
        url = httptools.parse_url(self.url)
        return Request(
            method=self.parser.get_method().decode("ascii"),
            version=version,
            path=urllib.parse.unquote(url.path.decode("ascii")),
            query=url.query or b"",
            headers=tuple(self.headers),
            client=self._find_client(),
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
        if self.service.upgrades is not None and self._upgrade is not None:
            self.service.upgrades.open_websocket(self, self._upgrade)

    def _refuse_in_turn(self, refusal: Refusal) -> None:
        self._refused = True
        self._take_turn(lambda: self.refuse(refusal, f"{refusal.text} From {format_client(self._find_client())}"))

    def refuse(self, refusal: Refusal, detail: str) -> None:
        """Answers, counts, and ends the connection when the client has had time to read; `detail` is for the log."""
        self._refused = True
        self._stop_head_timer()
        self._unset_keepalive_if_required()
        self.service.handshakes.refuse(refusal.reason, detail)
        if self.transport.is_closing():
            return
        self.transport.write(encode_refusal(refusal, self.service.describe_server()))
        self.transport.write_eof()
        self.flow.resume_reading()
        self.timeout_keep_alive_task = self.loop.call_later(LINGER_SECONDS, self.timeout_keep_alive_handler)

    def hand_over(self, successor: asyncio.BaseProtocol) -> tuple[asyncio.Transport, bytes]:
        """Leaves the connection to another protocol: its transport, and what came behind the upgrade's head."""
        self._stop_head_timer()
        self._unset_keepalive_if_required()
        self.connections.discard(self)
        self.transport.set_protocol(successor)
        self.flow.resume_reading()
        self.parser = self.cycle = None  # type: ignore[assignment]
        return self.transport, self._unread[self._at :]

    # The time for a head

    def _start_head_timer(self) -> None:
        if self.service.head_timeout >= 0:
            self._head_timer = self.loop.call_later(self.service.head_timeout, self._end_late_head)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end_late_head(self) -> None:
        self._head_timer = None
        if self._heads.size == 0:
            self.transport.close()  # a connection that was opened ahead of need; no request waits for an answer
        else:
            self._refuse_in_turn(HEAD_TIMEOUT)


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
    return Refusal(431, "head_size", f"The request's head is over the limit of {limit} bytes (--max-head).")
