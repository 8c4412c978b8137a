"""An application of a test's choice behind the server's reader of HTTP, and what is asked of it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from awxfast.http.outcomes import Outcomes
from awxfast.http.service import HttpService
from raw_browser import RawBrowser
from serving import HANG


def get(path: str = "/", *lines: str, version: str = "1.1", method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: a", *lines, "", ""]).encode()


NEXT = get("/next", "Connection: close")


class Application:
    """What the test wants it to be; `/next` is answered in any case."""

    def __init__(self) -> None:
        self.run: Callable[..., Awaitable[None]] = self.answer_path
        self.scopes: list[Any] = []
        self.messages: list[Any] = []
        self.failures: list[BaseException] = []

    async def answer_path(self, scope: Any, receive: Any, send: Any) -> None:
        body = scope["path"].encode()
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)

        async def remember() -> Any:
            self.messages.append(await receive())
            return self.messages[-1]

        run = self.answer_path if scope["path"] == "/next" else self.run
        try:
            await run(scope, remember, send)
        except BaseException as error:
            self.failures.append(error)
            raise


class Site:
    """The application behind the server's reader."""

    def __init__(self) -> None:
        self.application = Application()

    async def start(self, **options: Any) -> None:
        given = {"max_head": 65_536, "head_timeout": HANG, "idle_timeout": HANG, "server_name": "daphne", **options}
        self.service = HttpService(self.application, Outcomes(), **given)
        sock = socket.create_server(("127.0.0.1", 0))
        self.address = sock.getsockname()
        self.server = await asyncio.get_running_loop().create_server(self.service, sock=sock)

    async def connect(self, *data: bytes) -> RawBrowser:
        browser = await RawBrowser.connect(self.address)
        browser.send(*data)
        return browser

    async def ask(self, *data: bytes) -> bytes:
        """All that comes back until the end."""
        browser = await self.connect(*data)
        answer = await browser.read_to_end()
        await browser.close()
        return answer

    async def stop(self) -> None:
        self.server.close()
        self.service.close()
        await self.service.requests.stop(0.1)
        await self.server.wait_closed()


StartSite = Callable[..., Awaitable[Site]]


@pytest.fixture
async def start_site() -> AsyncIterator[StartSite]:
    running: list[Site] = []

    async def begin(**options: Any) -> Site:
        running.append(Site())
        await running[-1].start(**options)
        return running[-1]

    yield begin
    for site in running:
        await site.stop()


@pytest.fixture
async def site(start_site: StartSite) -> Site:
    return await start_site()


def respond(status: int, headers: list[tuple[bytes, bytes]], *parts: bytes) -> Callable[..., Awaitable[None]]:
    async def run(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for number, part in enumerate(parts, 1):
            await send({"type": "http.response.body", "body": part, "more_body": number < len(parts)})

    return run


LENGTH = [(b"content-length", b"4")]
