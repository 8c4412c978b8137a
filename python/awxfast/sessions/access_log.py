"""The access log, in daphne's format. Only paths reach it: a query may hold a token."""

import contextlib
import datetime
import urllib.parse
from collections.abc import Callable
from typing import TextIO

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope

Address = tuple[str, int]


class AccessLog:
    """Writes one line an action to `stream`, which may be replaced at any time (a log that is rotated)."""

    def __init__(self, stream: TextIO, now: Callable[[], datetime.datetime] = datetime.datetime.now) -> None:
        self.stream = stream
        self._now = now

    def write(self, client: str, request: str, status: int | None = None, length: int | None = None) -> None:
        """One line. `client` is `host:port`, `request` what happened and the path."""
        date = self._now().strftime("%d/%b/%Y:%H:%M:%S")
        line = f'{client} - - [{date}] "{request}" {status or "-"} {length or "-"}\n'
        with contextlib.suppress(OSError):  # a full disk must not cost a browser its connection
            self.stream.write(line)

    def wrap(self, application: ASGI3Application) -> ASGI3Application:
        """The application, with a line for each response that it gives."""

        async def logged(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
            response = _Response(send)
            await application(scope, receive, response.send)
            if scope["type"] == "http":
                path = scope["raw_path"].decode("latin-1")
                self.write(
                    format_client(scope["client"]), f"{scope['method']} {path}", response.status, response.length
                )

        return logged


class _Response:
    """Passes a response on and remembers its status and length."""

    def __init__(self, send: ASGISendCallable) -> None:
        self._send = send
        self.status = 0
        self.length = 0

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self.length += len(message.get("body", b""))
        await self._send(message)


def format_client(client: Address | None) -> str:
    """`host:port` as daphne writes it; a client on a unix socket has neither."""
    return f"{client[0]}:{client[1]}" if client else "-"


def format_path(path: str) -> str:
    """A decoded path as it may stand in a line: without control characters or spaces."""
    return urllib.parse.quote(path)
