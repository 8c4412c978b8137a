"""Reading requests: in pieces, in turns, one behind the other, floods of them."""

import asyncio
import gc
import io
import tracemalloc

import aiohttp
import pytest
from awxfast.http.access_log import AccessLog
from awxfast.http.proxies import Proxies
from awxfast.http.requests import TURN_REQUESTS
from raw_browser import RawBrowser, frame, handshake
from serving import HANG, Serving, Start, until
from waiting_site import Host

WELCOME = '{"accept": true, "user": 0}'
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


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
