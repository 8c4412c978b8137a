"""One plain request between a connection and an application: its body in parts, its response, its end."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from asgiref.typing import ASGIReceiveEvent

from awxfast.http.request_memory import UnansweredBytes
from awxfast.http.response import CONTINUE, Response, encode_hints
from awxfast.wire.handshake import Headers

HELD_BYTES = 65_536
"""So much of a body waits for the application; past it the socket is not read."""
FILE_BYTES = 262_144
"""A read of a file that an application names."""
DISCARD_BYTES = 262_144
"""How much of a body is read to no purpose, so that the connection can go on behind it."""


class RequestConnection(Protocol):
    """The connection that a request came on, as far as that knows it."""

    def write(self, data: bytes) -> None:
        """Writes, or drops what nobody can get any more."""

    async def drain(self) -> None:
        """Returns when there is room for more, or nobody is there."""

    def regulate(self) -> None:
        """Reads on, or not: what the request holds of its body has changed."""

    def describe_server(self) -> Headers:
        """The server's own headers."""

    def end_response(self, *, keeps_alive: bool) -> None:
        """The response is whole."""

    def look(self) -> bool:
        """Called twice a second while the request is worked on; whether there was something to do."""

    def cut(self) -> None:
        """The response can't be ended in order: the connection's end tells it."""


class Cycle:
    """A request until `response_complete` or `disconnected`: then nothing is written and nothing comes any more."""

    __slots__ = (
        "_awaits_trailers",
        "_body",
        "_changed",
        "_connection",
        "_discarded",
        "_expects_continue",
        "_head",
        "_is_told",
        "_keeps_alive",
        "_response",
        "disconnected",
        "is_whole",
        "leave_behind",
        "response_complete",
        "response_started",
        "scope",
        "sent",
        "turn",
    )

    def __init__(
        self, connection: RequestConnection, scope: dict[str, Any], *, keeps_alive: bool, expects_continue: bool
    ) -> None:
        self.scope = scope
        self.disconnected = False
        self.response_started = False
        self.response_complete = False
        self.sent = 0
        """Bytes of the response's body."""
        self.is_whole = False
        """Whether all of the request is there."""
        self.turn: asyncio.Future[None] | None = None
        """What it waits for until the application begins."""
        self.leave_behind: Callable[[UnansweredBytes, int], None] | None = None
        """Counts what the application holds when the client is gone; None: it has not begun."""
        self._connection = connection
        self._keeps_alive = keeps_alive
        self._expects_continue = expects_continue
        self._body = bytearray()
        self._is_told = False
        self._discarded = 0
        self._changed: asyncio.Event | None = None
        self._response: Response | None = None
        self._head = b""
        self._awaits_trailers = False

    # The request

    @property
    def is_full(self) -> bool:
        """Whether as much waits for the application as may."""
        return len(self._body) >= HELD_BYTES

    @property
    def is_past_use(self) -> bool:
        """Whether more has come behind the response than is worth reading."""
        return self._discarded > DISCARD_BYTES

    @property
    def held(self) -> int:
        """Bytes of the body that wait for the application."""
        return len(self._body)

    def receive_body(self, part: bytes) -> None:
        """A part of the body; behind the response nobody wants it."""
        if self.response_complete or self.disconnected:
            self._discarded += len(part)
            return
        self._body += part
        self._wake()

    def receive_end(self) -> None:
        """The request is whole."""
        self.is_whole = True
        self._wake()

    def look(self) -> bool:
        """Looks whether the client is gone, which nobody notices where it is not read."""
        return self._connection.look()

    def end_keep_alive(self) -> None:
        """No request follows this one."""
        self._keeps_alive = False

    def disconnect(self) -> None:
        """The client is gone, or as good as that."""
        if not self.response_complete:
            self.disconnected = True
            if self.turn is not None:
                self.turn.cancel()
            self._drop_body()
            self._wake()

    def cut(self) -> None:
        """A response that has begun and can't be ended: the connection's end tells it."""
        self._write_head()
        self.disconnect()
        self._connection.cut()

    def _drop_body(self) -> None:
        self._body = bytearray()

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()

    async def receive(self) -> ASGIReceiveEvent:
        """What has come of the body since, or the end."""
        if self._expects_continue and not (self.response_started or self._body or self.is_whole or self.disconnected):
            self._expects_continue = False
            self._connection.write(CONTINUE)
        while not (self._body or (self.is_whole and not self._is_told) or self.disconnected or self.response_complete):
            self._changed = self._changed or asyncio.Event()
            self._changed.clear()
            await self._changed.wait()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body = bytes(self._body)
        self._drop_body()
        self._is_told = self.is_whole
        self._connection.regulate()
        return {"type": "http.request", "body": body, "more_body": not self.is_whole}

    # The response

    async def send(self, message: Any) -> None:
        """A part of the response. Raises `ValueError` for one that would put the connection out of step."""
        if self.disconnected or self.response_complete:
            return
        match message["type"]:
            case "http.response.start":
                has_trailers = bool(message.get("trailers"))
                self._begin_response(message["status"], list(message.get("headers") or ()), has_trailers=has_trailers)
            case "http.response.body":
                self._write_body(message.get("body", b""), is_last=not message.get("more_body"))
            case "http.response.trailers":
                self._write_trailers(list(message["headers"]), is_last=not message.get("more_trailers"))
            case "http.response.pathsend":
                await self._write_file(message["path"])
            case "http.response.early_hint" if not self.response_started and self.scope["http_version"] == "1.1":
                self._connection.write(encode_hints(message["links"]))
        await self._connection.drain()

    def _begin_response(self, status: int, headers: Headers, *, has_trailers: bool) -> None:
        unasked = self._expects_continue and not (self._body or self.is_whole)  # the client may send the body, or not
        response = Response(keeps_alive=self._keeps_alive and not unasked, has_trailers=has_trailers)
        method, version = self.scope["method"], self.scope["http_version"]
        self._head = response.encode_head(method, version, status, headers, self._connection.describe_server())
        self._response = response
        self.response_started = True
        asyncio.get_running_loop().call_soon(self._write_head)

    def _write_head(self) -> None:
        """Alone, where nothing of the body follows at once."""
        head, self._head = self._head, b""
        if head and not self.disconnected:
            self._connection.write(head)

    def _write_body(self, body: bytes, *, is_last: bool) -> None:
        assert self._response is not None
        try:
            data = self._response.encode_body(body, is_last=is_last)
            head, self._head = self._head, b""
            if head or data:
                self._connection.write(head + data if head and data else head or data)
            if is_last:
                self._response.check_end()
        except ValueError:
            self.cut()
            raise
        self.sent += len(body)
        self._awaits_trailers = is_last and self._response.awaits_trailers
        if is_last and not self._awaits_trailers:
            self._end_response(self._response)

    def _write_trailers(self, headers: Headers, *, is_last: bool) -> None:
        if self._response is None or not self._awaits_trailers:
            self.cut()
            raise ValueError("trailers have no place here: the response announced none, or its body has not ended")
        self._connection.write(self._response.encode_trailers(headers, is_last=is_last))
        if is_last:
            self._end_response(self._response)

    async def _write_file(self, path: str) -> None:
        file = await asyncio.to_thread(Path(path).open, "rb")
        try:
            while part := await asyncio.to_thread(file.read, FILE_BYTES):
                self._write_body(part, is_last=False)
                await self._connection.drain()
                if self.disconnected:
                    return
        finally:
            await asyncio.to_thread(file.close)
        self._write_body(b"", is_last=True)

    def _end_response(self, response: Response) -> None:
        self.response_complete = True
        self._drop_body()
        self._wake()
        self._connection.end_response(keeps_alive=response.keeps_alive)
