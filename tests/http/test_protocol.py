"""Reading requests: limits, turns and refusals (long cookies, control bytes, slow and large heads)."""

import asyncio
import gc
import io
import socket
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from awxfast.http.access_log import AccessLog
from awxfast.http.outcomes import Outcomes
from awxfast.http.protocol import HttpProtocol
from awxfast.http.proxies import Proxies
from awxfast.http.requests import TURN_REQUESTS
from awxfast.http.service import HttpService
from awxfast.wire.request import Request
from raw_browser import RawBrowser, frame, handshake
from serving import HANG, Serving, Start, until

WELCOME = '{"accept": true, "user": 0}'
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class TestLargeHeads:
    """python-websockets/websockets#1471: long cookies of identity providers."""

    async def test_cookie_of_16000_bytes_in_a_head_of_60_kib_is_accepted(self, serving: Serving) -> None:
        lines = ["Cookie: " + "c" * 16_000, *(f"X-Filler-{n}: {'f' * 1000}" for n in range(45))]
        assert 60_000 < len(handshake("/websocket/", *lines)) < 65_536
        browser = await RawBrowser.open(serving.address, *lines)
        assert await browser.read_text() == WELCOME
        await browser.close()

    async def test_150_header_lines_are_accepted(self, serving: Serving) -> None:
        browser = await RawBrowser.open(serving.address, *(f"X-Filler-{n}: f" for n in range(150)))
        assert await browser.read_text() == WELCOME
        await browser.close()

    @pytest.mark.parametrize("end", [b"\r\n\r\n", b""], ids=["whole", "endless"])
    async def test_larger_head_gets_431_with_the_limit_and_one_log_line(
        self, serving: Serving, caplog: pytest.LogCaptureFixture, end: bytes
    ) -> None:
        browser = await RawBrowser.connect(serving.address)
        browser.send(b"GET /websocket/?token=SECRET HTTP/1.1\r\nHost: a\r\nCookie: ", b"c" * 70_000, end)
        status, _, body = await browser.read_response()
        assert status == 431
        assert "65536" in body
        assert len(caplog.messages) == 1
        assert "65536" in caplog.text
        assert "SECRET" not in caplog.text
        assert serving.server.handshakes == {("refused", "head"): 1}
        await browser.close()

    async def test_limit_is_an_option_and_exactly_the_limit_is_allowed(self, start: Start) -> None:
        size = len(handshake("/websocket/", "X-Filler: "))
        serving = await start(max_head=size + 10)
        await (await RawBrowser.open(serving.address, "X-Filler: " + "f" * 10)).close()
        browser = await RawBrowser.connect(serving.address)
        browser.send(handshake("/websocket/", "X-Filler: " + "f" * 11))
        assert (await browser.read_response())[0] == 431
        await browser.close()

    async def test_limit_counts_anew_for_each_request(self, start: Start) -> None:
        serving = await start(max_head=len(GET))
        browser = await RawBrowser.connect(serving.address)
        browser.send(GET * 5)
        for _ in range(5):
            assert (await browser.read_response())[0] == 404
        await browser.close()

    async def test_refusal_reaches_a_client_that_goes_on_sending(self, serving: Serving) -> None:
        browser = await RawBrowser.connect(serving.address)
        browser.send(b"GET / HTTP/1.1\r\nHost: a\r\nCookie: ", b"c" * 5_000_000)
        assert (await browser.read_response())[0] == 431
        await browser.close()


class TestPieces:
    """Kludex/uvicorn#3107: segments fall where they like."""

    async def test_handshake_split_at_every_byte(self, serving: Serving) -> None:
        request = handshake()
        for cut in range(1, len(request)):
            browser = await RawBrowser.connect(serving.address)
            browser.send(request[:cut])
            await asyncio.sleep(0.001)
            browser.send(request[cut:])
            assert (await browser.read_head()).startswith("HTTP/1.1 101 ")
            assert await browser.read_text() == WELCOME
            await browser.close()

    async def test_handshake_that_comes_byte_by_byte(self, serving: Serving) -> None:
        browser = await RawBrowser.connect(serving.address)
        for byte in handshake() + frame("x"):
            browser.send(bytes([byte]))
            await asyncio.sleep(0)
        assert (await browser.read_head()).startswith("HTTP/1.1 101 ")
        assert await browser.read_text() == WELCOME
        assert "not JSON" in await browser.read_text()
        await browser.close()

    async def test_frames_in_the_handshakes_segment_are_kept(self, serving: Serving) -> None:
        browser = await RawBrowser.connect(serving.address)
        browser.send(handshake(), frame('{"groups": {"jobs": ["a"]}}'), frame('{"groups": {"jobs": ["b"]}}')[:-3])
        assert (await browser.read_head()).startswith("HTTP/1.1 101 ")
        assert await browser.read_text() == WELCOME
        assert '"groups_joined": ["jobs-a"]' in await browser.read_text()
        await browser.close()

    async def test_upgrade_behind_a_request_in_one_segment(self, serving: Serving) -> None:
        browser = await RawBrowser.connect(serving.address)
        browser.send(GET, handshake(), frame("x"))
        assert (await browser.read_response())[0] == 404
        assert (await browser.read_head()).startswith("HTTP/1.1 101 ")
        assert await browser.read_text() == WELCOME
        assert "not JSON" in await browser.read_text()
        await browser.close()


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


class TestTurns:
    async def test_upgrade_waits_for_the_response_before_it(self, host: Host) -> None:
        hosted = await host()
        browser = await hosted.connect()
        browser.send(GET, handshake(), b"first")
        await until(lambda: hosted.application.scopes)
        browser.send(b"second")
        await asyncio.sleep(0.02)
        assert not hosted.upgrading.requests
        hosted.application.go.set()
        assert (await browser.read_response())[0] == 200
        async with asyncio.timeout(HANG):
            received = await browser.reader.readuntil(b"second")
        assert received.translate(None, b"<>\r\n") == b"taken over, behind: firstsecond"
        await browser.close()

    async def test_bad_request_waits_for_the_response_before_it(self, host: Host) -> None:
        hosted = await host()
        browser = await hosted.connect()
        browser.send(GET, b"nonsense\r\n\r\n")
        await until(lambda: hosted.application.scopes)
        hosted.application.go.set()
        assert (await browser.read_response())[0] == 200
        assert (await browser.read_response())[0] == 400
        await browser.close()

    async def test_upgraded_connection_outlives_keep_alive(self, host: Host) -> None:
        hosted = await host(idle_timeout=0.05)
        hosted.application.go.set()
        browser = await hosted.connect()
        browser.send(GET, handshake())
        assert (await browser.read_response())[0] == 200
        await browser.read_head()
        await asyncio.sleep(0.2)
        browser.send(b"still there")
        async with asyncio.timeout(HANG):
            assert await browser.reader.readuntil(b">") == b"<still there>"
        await browser.close()

    async def test_response_that_ends_the_connection_ends_what_follows(self, host: Host) -> None:
        hosted = await host()
        hosted.application.go.set()
        browser = await hosted.connect()
        browser.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", handshake())
        assert (await browser.read_response())[0] == 200
        assert await browser.read_to_end() == b""
        assert not hosted.upgrading.requests
        await browser.close()


class TestFloods:
    @pytest.mark.parametrize(
        "body", [b"", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"], ids=["bare", "behind a body"]
    )
    async def test_many_requests_in_one_segment_are_taken_up_a_few_at_a_time(self, host: Host, body: bytes) -> None:
        hosted = await host()
        browser = await hosted.connect()
        browser.send(body, GET * 5000)
        await until(lambda: hosted.application.scopes)
        await asyncio.sleep(0.02)
        assert len(hosted.application.scopes) == 1
        hosted.application.go.set()
        for _ in range(5000 + bool(body)):
            assert (await browser.read_response())[0] == 200
        await browser.close()

    async def test_upgrade_behind_many_requests(self, host: Host) -> None:
        hosted = await host()
        hosted.application.go.set()
        browser = await hosted.connect()
        browser.send(GET * 50, handshake(), b"x")
        for _ in range(50):
            assert (await browser.read_response())[0] == 200
        assert (await browser.read_head()).startswith("taken over, behind: x")
        await browser.close()

    async def test_requests_of_many_begin_a_few_each_turn(self, host: Host) -> None:
        hosted = await host()
        hosted.application.go.set()
        browsers = [await hosted.connect() for _ in range(100)]
        for browser in browsers:
            browser.send(GET * 3)
        begun = [0]
        while len(hosted.application.scopes) < 300:
            before = len(hosted.application.scopes)
            await asyncio.sleep(0)
            begun.append(len(hosted.application.scopes) - before)
        assert max(begun) <= 2 * TURN_REQUESTS  # who comes while those that waited have their turn
        for browser in browsers:
            for _ in range(3):
                assert (await browser.read_response())[0] == 200
            await browser.close()


class TestBetweenRequests:
    async def test_connection_that_waits_for_the_next_one_holds_nothing_of_the_last(self, host: Host) -> None:
        """A head of 60 KiB with 480 lines takes more than twice that, and may be kept for a minute."""
        hosted = await host()
        hosted.application.go.set()
        head = GET.removesuffix(b"\r\n") + b"".join(b"X-%d: %s\r\n" % (n, b"x" * 115) for n in range(480)) + b"\r\n"
        browsers = [await hosted.connect() for _ in range(20)]
        tracemalloc.start()
        try:
            for browser in browsers:
                browser.send(head)
                assert (await browser.read_response())[0] == 200
            hosted.application.scopes.clear()
            await until(lambda: not hosted.service.requests.running)
            gc.collect()
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert held < len(browsers) * len(head) // 2
        for browser in browsers:
            await browser.close()


class TestRequests:
    async def test_path_stays_as_sent_beside_a_root_path(self, host: Host) -> None:
        hosted = await host(proxies=Proxies("/awx"))
        hosted.application.go.set()
        browser = await hosted.connect()
        browser.send(b"GET /awx/a%20b?c=d HTTP/1.1\r\nHost: a\r\nX_Under: 1\r\n\r\n")
        await browser.read_response()
        (scope,) = hosted.application.scopes
        assert (scope["path"], scope["raw_path"], scope["root_path"]) == ("/awx/a b", b"/awx/a%20b", "/awx")
        assert scope["query_string"] == b"c=d"
        assert scope["headers"] == [(b"host", b"a")]
        await browser.close()

    async def test_upgrade_is_described_whole(self, host: Host) -> None:
        hosted = await host()
        browser = await hosted.connect()
        browser.send(handshake("/a%20b?token=T", "Cookie: c"))
        await browser.read_head()
        (request,) = hosted.upgrading.requests
        assert (request.method, request.version, request.path, request.query) == ("GET", "1.1", "/a b", b"token=T")
        assert request.first(b"cookie") == b"c"
        assert request.client == browser.writer.get_extra_info("sockname")
        await browser.close()

    async def test_upgrade_to_something_else_is_a_plain_request(self, host: Host) -> None:
        hosted = await host()
        hosted.application.go.set()
        browser = await hosted.connect()
        browser.send(b"GET /h2 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", GET)
        assert (await browser.read_response())[2] == "/h2"
        assert (await browser.read_response())[2] == "/"
        await browser.close()

    async def test_upgrade_over_http_1_0_is_a_plain_request(self, host: Host) -> None:
        hosted = await host()
        hosted.application.go.set()
        browser = await hosted.connect()
        browser.send(handshake("/old").replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert (await browser.read_response())[2] == "/old"
        await browser.close()

    async def test_without_upgrades_every_request_is_the_applications(self, host: Host) -> None:
        hosted = await host(upgrades=None)
        hosted.application.go.set()
        browser = await hosted.connect()
        browser.send(handshake("/admin"))
        assert (await browser.read_response())[2] == "/admin"
        await browser.close()

    async def test_upgrade_behind_a_body(self, host: Host) -> None:
        hosted = await host()
        hosted.application.go.set()
        browser = await hosted.connect()
        browser.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n\r\n\r\nabcd\n", handshake(), b"x")
        assert (await browser.read_response())[0] == 200
        assert (await browser.read_head()).startswith("taken over")
        await browser.close()

    @pytest.mark.parametrize(("name", "sent"), [("daphne", "server: daphne\r\n"), ("", None)])
    async def test_server_header(self, host: Host, name: str, sent: str | None) -> None:
        hosted = await host(server_name=name)
        hosted.application.go.set()
        browser = await hosted.connect()
        browser.send(GET)
        _, head, _ = await browser.read_response()
        assert (sent in head) if sent else ("server:" not in head)
        assert "date: " in head
        await browser.close()


class TestMalformedRequests:
    @pytest.mark.parametrize("byte", [*range(9), *range(0x0B, 0x20), 0x7F, 0x85])
    async def test_control_byte_in_a_header_value_gets_400(self, serving: Serving, byte: int) -> None:
        browser = await RawBrowser.connect(serving.address)
        browser.send(handshake("/websocket/", f"X-Name: a{chr(byte)}b"))
        assert (await browser.read_response())[0] == 400
        await browser.close()

    @pytest.mark.parametrize("value", ["a\tb", "\u00e9", "\x80", "\x9f", "\xff"])
    async def test_other_bytes_are_allowed(self, serving: Serving, value: str) -> None:
        await (await RawBrowser.open(serving.address, f"X-Name: {value}")).close()

    async def test_plain_requests_are_held_to_the_same(self, serving: Serving) -> None:
        browser = await RawBrowser.connect(serving.address)
        browser.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Name: \x85\r\n\r\n")
        assert (await browser.read_response())[0] == 400
        await browser.close()

    @pytest.mark.parametrize(
        "data",
        [
            b"\x16\x03\x01\x02\x00\x01\x00",
            b"GET /a b HTTP/1.1\r\n\r\n",
            b"GET \xff HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\nHost: a\n\n",
            b"GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n",
            b"GET / HTTP/1.1\r\nbad name: a\r\n\r\n",
            b"CONNECT a:80 HTTP/1.1\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: a\r\n\r\n",
        ],
    )
    async def test_what_is_no_request_gets_400(
        self, serving: Serving, caplog: pytest.LogCaptureFixture, data: bytes
    ) -> None:
        browser = await RawBrowser.connect(serving.address)
        browser.send(data)
        assert (await browser.read_response())[0] == 400
        assert serving.server.handshakes == {("refused", "head"): 1}
        assert "Traceback" not in caplog.text
        await browser.close()


class TestSlowHeads:
    async def test_head_that_takes_too_long_gets_408(self, host: Host) -> None:
        hosted = await host(head_timeout=0.05)
        browser = await hosted.connect()
        browser.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        assert (await browser.read_response())[0] == 408
        assert hosted.handshakes.counts == {("refused", "head"): 1}
        await browser.close()

    async def test_trickling_does_not_prolong_it(self, host: Host) -> None:
        hosted = await host(head_timeout=0.05)
        browser = await hosted.connect()
        browser.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        for _ in range(20):
            browser.send(b"X: y\r\n")
            await asyncio.sleep(0.01)
        assert (await browser.read_response())[0] == 408
        await browser.close()

    async def test_connection_without_a_byte_is_closed_quietly(self, host: Host) -> None:
        hosted = await host(head_timeout=0.05)
        browser = await hosted.connect()
        assert await browser.read_to_end() == b""
        assert not hosted.handshakes.counts
        await browser.close()

    async def test_line_ends_do_not_keep_a_connection(self, host: Host) -> None:
        hosted = await host(head_timeout=0.05)
        hosted.application.go.set()
        browser = await hosted.connect()
        browser.send(GET)
        await browser.read_response()
        browser.send(b"\r\n")
        assert b"408" in await browser.read_to_end()
        await browser.close()

    async def test_response_that_takes_long_is_waited_for(self, host: Host) -> None:
        hosted = await host(head_timeout=0.05)
        browser = await hosted.connect()
        browser.send(GET)
        await asyncio.sleep(0.2)
        hosted.application.go.set()
        assert (await browser.read_response())[0] == 200
        await browser.close()


class TestNativePlainRequests:
    @pytest.mark.parametrize("path", ["/websocket/", "/api/websocket/", "/api/a/v2/websocket/", "/websocket/relay/"])
    async def test_websocket_paths_get_426_with_upgrade(self, serving: Serving, path: str) -> None:
        url = f"http://127.0.0.1:{serving.port}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            assert response.status == 426
            assert response.headers["Upgrade"] == "websocket"

    @pytest.mark.parametrize("path", ["/", "/websocket", "/x/websocket/", "/static/a.js?token=SECRET"])
    async def test_all_others_get_404(self, serving: Serving, path: str) -> None:
        url = f"http://127.0.0.1:{serving.port}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            assert response.status == 404

    async def test_request_with_a_body_is_its_connections_last(self, serving: Serving) -> None:
        browser = await RawBrowser.connect(serving.address)
        browser.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
        status, head, _ = await browser.read_response()
        assert status == 404
        assert "connection: close" in head
        assert await browser.read_to_end() == b""
        await browser.close()

    async def test_head_has_no_body(self, serving: Serving) -> None:
        browser = await RawBrowser.connect(serving.address)
        browser.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", GET)
        assert "content-length: " in await browser.read_head()
        assert (await browser.read_response())[0] == 404
        await browser.close()

    async def test_access_log_has_the_path_without_the_query(self, start: Start) -> None:
        lines = io.StringIO()
        serving = await start(access_log=AccessLog(lines))
        browser = await RawBrowser.connect(serving.address)
        browser.send(b"GET /a%20b?token=SECRET HTTP/1.1\r\nHost: a\r\n\r\n")
        _, _, body = await browser.read_response()
        assert '"GET /a%20b" 404 ' + str(len(body)) in lines.getvalue()
        assert "SECRET" not in lines.getvalue()
        await browser.close()
