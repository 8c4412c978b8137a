"""Hosting on a real server and a real fan-out: limits of time, ends of the task, the end of the server."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from awxfast._rust import Fanout
from awxfast.hosted.current_session import current_session
from awxfast.hosted.endpoints import HostedEndpoints
from awxfast.http.listening import Listening
from awxfast.settings import Settings
from awxfast.sockets.server import Server
from raw_browser import RawBrowser, close_frame, frame, handshake
from serving import until

Application = Callable[[Any, Any, Any], Awaitable[None]]


class Hosting:
    """One application on a free port."""

    def __init__(self, application: Application, **settings: Any) -> None:
        self.settings = Settings(**{"application_close_timeout": 0, **settings})
        self.fanout = Fanout(threads=1)
        self.host = HostedEndpoints(application, self.settings)  # type: ignore[arg-type]
        self.server = Server(self.settings, self.fanout, self.host)
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.address = self.sock.getsockname()

    async def start(self) -> None:
        await self.host.start()
        await self.server.start([Listening(self.sock)])

    async def stop(self) -> None:
        await self.server.stop(1.0)
        self.fanout.stop()
        await asyncio.sleep(0)


@pytest.fixture
async def hosting() -> AsyncIterator[Callable[..., Awaitable[Hosting]]]:
    running: list[Hosting] = []

    async def start_one(application: Application, **settings: Any) -> Hosting:
        running.append(Hosting(application, **settings))
        await running[-1].start()
        return running[-1]

    yield start_one
    for one in running:
        await one.stop()


class Accepting:
    """Accepts, then does what the test wants; remembers what it got and how it ended."""

    def __init__(self, then: Callable[[Any, Any], Awaitable[None]] | None = None) -> None:
        self.then = then
        self.messages: list[Any] = []
        self.sessions: list[Any] = []
        self.ends: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            raise ValueError("websockets only")
        session = current_session.get()
        self.sessions.append(session)
        assert session is not None
        session.on_attached(lambda: self.ends.append(f"attached {session.client is not None}"))
        session.on_end(lambda: self.ends.append("ended"))
        self.messages.append(await receive())
        await send({"type": "websocket.accept"})
        try:
            if self.then is not None:
                await self.then(receive, send)
            while self.messages[-1]["type"] != "websocket.disconnect":
                self.messages.append(await receive())
        except asyncio.CancelledError:
            self.ends.append("cancelled")
            raise


async def cling(receive: Any, send: Any) -> None:
    await asyncio.Event().wait()


class TestSession:
    async def test_part_of_the_application_finds_its_socket(self, hosting: Any) -> None:
        application = Accepting()
        one = await hosting(application)
        browser = await RawBrowser.open(one.address)
        await until(lambda: application.ends == ["attached True"])
        browser.send(close_frame(3210))
        await until(lambda: application.ends == ["attached True", "ended"])
        assert application.messages[-1] == {"type": "websocket.disconnect", "code": 3210}
        await browser.close()

    async def test_nothing_else_has_a_session(self, hosting: Any) -> None:
        await hosting(Accepting())
        assert current_session.get() is None

    async def test_frame_behind_the_handshake_arrives(self, hosting: Any) -> None:
        application = Accepting()
        one = await hosting(application)
        browser = await RawBrowser.connect(one.address)
        browser.send(handshake("/"), frame("at once"))
        await browser.read_head()
        await until(lambda: application.messages[-1].get("text") == "at once")
        await browser.close()


class TestTimeLimits:
    async def test_task_that_outlives_its_socket_is_cancelled_with_one_line(
        self, hosting: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        application = Accepting(cling)
        one = await hosting(application)
        browser = await RawBrowser.open(one.address, path="/clinging")
        await browser.close()
        await until(lambda: "ended" in application.ends)
        assert application.ends == ["attached True", "cancelled", "ended"]
        lines = [record.message for record in caplog.records if "too long" in record.message]
        assert lines == ["The application took too long to end and is cancelled: websocket '/clinging'"]

    async def test_task_that_resists_is_cancelled_until_it_ends(self, hosting: Any) -> None:
        cancelled = 0

        async def resist(receive: Any, send: Any) -> None:
            nonlocal cancelled
            while cancelled < 3:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    cancelled += 1

        application = Accepting(resist)
        one = await hosting(application)
        browser = await RawBrowser.open(one.address)
        await browser.close()
        await until(lambda: "ended" in application.ends)
        assert cancelled == 3

    async def test_undecided_one_gets_403(self, hosting: Any) -> None:
        async def undecided(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "websocket":
                await asyncio.Event().wait()

        one = await hosting(undecided, websocket_connect_timeout=1)
        browser = await RawBrowser.connect(one.address)
        browser.send(handshake("/"))
        assert (await browser.read_response())[0] == 403
        await browser.close()

    @pytest.mark.parametrize(
        ("answer", "status"),
        [
            ({"type": "websocket.close"}, 403),
            ({"type": "websocket.http.response.start", "status": 418, "headers": []}, 418),
            ({"type": "nonsense"}, 500),
        ],
    )
    async def test_each_refusal_has_a_line_with_its_word(
        self, hosting: Any, caplog: pytest.LogCaptureFixture, answer: dict[str, Any], status: int
    ) -> None:
        """One line with path, peer and word for each (django/channels#2062)."""

        async def refuse(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "websocket":
                await receive()
                await send(answer)

        one = await hosting(refuse)
        browser = await RawBrowser.connect(one.address)
        browser.send(handshake("/a/?token=SECRET", "Cookie: a=SECRET"))
        assert (await browser.read_head()).startswith(f"HTTP/1.1 {status} ")
        await until(lambda: one.server.handshakes == {("refused", "application"): 1})
        peer = "{}:{}".format(*browser.writer.get_extra_info("sockname"))
        assert f"refused (application) '/a/' from {peer}: " in caplog.text
        assert "SECRET" not in caplog.text
        await browser.close()


class TestFaults:
    @pytest.mark.parametrize("fault", [RuntimeError("a fault"), KeyboardInterrupt(), SystemExit(1)])
    async def test_whatever_is_raised_ends_one_socket_alone(
        self, hosting: Any, fault: BaseException, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def fail(receive: Any, send: Any) -> None:
            if (await receive()).get("text") == "fail":
                raise fault

        one = await hosting(Accepting(fail))
        other = await RawBrowser.open(one.address)
        browser = await RawBrowser.open(one.address)
        browser.send(frame("fail"))
        assert await browser.read_close() == 1011
        assert "Exception inside application" in caplog.text
        other.send(frame("x"), close_frame(1000))
        assert await other.read_close() == 1000
        await browser.close()
        await other.close()


class TestStop:
    async def test_browsers_get_1001_and_the_application_is_told(self, hosting: Any) -> None:
        application = Accepting()
        one = await hosting(application)
        browser = await RawBrowser.open(one.address)
        stopping = asyncio.create_task(one.stop())
        assert await browser.read_close() == 1001
        browser.send(close_frame(1001))
        await browser.close()
        await stopping
        assert application.messages[-1] == {"type": "websocket.disconnect", "code": 1001}
        assert application.ends[-1] == "ended"

    async def test_undecided_one_is_closed(self, hosting: Any, caplog: pytest.LogCaptureFixture) -> None:
        told: list[Any] = []

        async def undecided(scope: Any, receive: Any, send: Any) -> None:
            while scope["type"] == "websocket":
                told.append(await receive())

        one = await hosting(undecided)
        browser = await RawBrowser.connect(one.address)
        browser.send(handshake("/"))
        await until(lambda: told)
        with caplog.at_level(logging.ERROR):
            await one.stop()
        assert await browser.read_to_end() == b""
        assert told[-1] == {"type": "websocket.disconnect", "code": 1006}
        await browser.close()
