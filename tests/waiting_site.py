"""An application that answers when it is told to, and upgrades that are taken over, behind the reader of requests."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from awxfast.http.outcomes import Outcomes
from awxfast.http.protocol import HttpProtocol
from awxfast.http.service import HttpService
from awxfast.wire.request import Request
from raw_browser import RawBrowser
from serving import HANG


class SlowApplication:
    """Answers 200 with the path when it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.scopes: list[Any] = []

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        self.scopes.append(scope)
        await self.go.wait()
        body = self.scopes[-1]["path"].encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": False})
        await send({"type": "http.response.body", "body": body, "more_body": False})


class Successor(asyncio.Protocol):
    """Takes a connection over and writes what it gets back."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None

    def data_received(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(b"<" + data + b">")


class Upgrading:
    """Accepts every upgrade without a 101."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def open_websocket(self, http: HttpProtocol, request: Request) -> None:
        self.requests.append(request)
        successor = Successor()
        successor.transport, behind = http.hand_over(successor)
        successor.transport.write(b"taken over, behind: " + behind + b"\r\n\r\n")


class Hosted:
    """An application of the test's choice behind the reader."""

    def __init__(self) -> None:
        self.application = SlowApplication()
        self.upgrading = Upgrading()
        self.handshakes = Outcomes()

    async def start(self, **options: Any) -> None:
        given = {
            "max_head": 65_536,
            "head_timeout": HANG,
            "server_name": "daphne",
            "upgrades": self.upgrading,
            **options,
        }
        self.service = HttpService(self.application, self.handshakes, **given)
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.server = await asyncio.get_running_loop().create_server(self.service, sock=self.sock)

    async def connect(self) -> RawBrowser:
        return await RawBrowser.connect(self.sock.getsockname())

    async def stop(self) -> None:
        self.application.go.set()
        self.server.close()
        self.service.close()
        await self.server.wait_closed()


Host = Callable[..., Awaitable[Hosted]]


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    running: list[Hosted] = []

    async def start(**options: Any) -> Hosted:
        running.append(Hosted())
        await running[-1].start(**options)
        return running[-1]

    yield start
    for hosted in running:
        await hosted.stop()
