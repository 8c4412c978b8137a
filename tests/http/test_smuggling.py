"""What a proxy in front takes for one request, the application sees as one: same methods, paths and bodies."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from awxfast.http.outcomes import Outcomes
from awxfast.http.protocol import HttpProtocol
from awxfast.http.service import HttpService
from awxfast.wire.request import Request
from nginx import Nginx
from raw_browser import RawBrowser, handshake
from serving import HANG, Serving, until

GET = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
OFFERS = {
    "unknown": ["Connection: Upgrade", "Upgrade: x"],
    "curl --http2": ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAA"],
    "websocket": ["Connection: keep-alive, Upgrade", "Upgrade: websocket"],
    "websocket among others": ["Connection: upgrade", "Upgrade: h2c, websocket"],
    "several lines": ["Connection: keep-alive", "UPGRADE: x", "connection: UPGRADE", "uPGRADE: websocket"],
    "a closing one": ["Connection: close, Upgrade", "Upgrade: TLS/1.0"],
}


def post(path: str, body: bytes, *lines: str, method: str = "POST", chunked: bool = False) -> bytes:
    """A request with a body, in chunks or with its length."""
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    head = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: a", framing, *lines, "", ""])
    sent = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    return head.encode() + sent


class Recording:
    """An application that keeps what it was asked, and answers with it."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []
        self.seen: list[tuple[str, str, bytes]] = []
        self.disconnects = 0

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        assert scope["type"] == "http"
        self.scopes.append(scope)
        body, more = b"", True
        while more:
            message: Any = await receive()
            if message["type"] == "http.disconnect":
                self.disconnects += 1
                return
            body, more = body + message["body"], message["more_body"]
        self.seen.append((scope["method"], scope["path"], body))
        answer = json.dumps([scope["method"], scope["path"], len(body)]).encode()
        headers = [(b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": False})
        await send({"type": "http.response.body", "body": answer, "more_body": False})


class Upgrading:
    """Takes every websocket over, and does nothing with it."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def open_websocket(self, http: HttpProtocol, request: Request) -> None:
        self.requests.append(request)
        transport, _ = http.hand_over(asyncio.Protocol())
        transport.write(b"HTTP/1.1 101 Taken Over\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        transport.close()


class Reader:
    """The reader of requests before an application that records."""

    def __init__(self, max_head: int = 65_536) -> None:
        self.application = Recording()
        self.upgrading = Upgrading()
        self.handshakes = Outcomes()
        self.service = HttpService(
            self.application, self.handshakes, max_head=max_head, head_timeout=HANG, upgrades=self.upgrading
        )
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.sock.getsockname()[1])

    @property
    def seen(self) -> list[tuple[str, str, bytes]]:
        return self.application.seen

    async def start(self) -> None:
        self.server = await asyncio.get_running_loop().create_server(self.service, sock=self.sock)

    async def connect(self) -> RawBrowser:
        return await RawBrowser.connect(self.sock.getsockname())

    async def stop(self) -> None:
        self.server.close()
        self.service.close()
        await self.server.wait_closed()


Read = Callable[..., Awaitable[Reader]]


@pytest.fixture
async def read() -> AsyncIterator[Read]:
    running: list[Reader] = []

    async def start(**options: Any) -> Reader:
        running.append(Reader(**options))
        await running[-1].start()
        return running[-1]

    yield start
    for reader in running:
        await reader.stop()


class TestUpgradesThatNobodyHonours:
    """B0: the bytes behind such a head are its body, whatever they look like."""

    @pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
    @pytest.mark.parametrize("offer", OFFERS)
    async def test_body_of_a_post_is_its_body(self, read: Read, offer: str, chunked: bool) -> None:
        reader = await read()
        browser = await reader.connect()
        browser.send(post("/a", SMUGGLED, *OFFERS[offer], chunked=chunked))
        assert (await browser.read_response())[2] == f'["POST", "/a", {len(SMUGGLED)}]'
        if offer != "a closing one":
            browser.send(GET)
            assert (await browser.read_response())[2] == '["GET", "/next", 0]'
        await browser.close()
        assert reader.seen[0] == ("POST", "/a", SMUGGLED)
        assert "/smuggled" not in [path for _, path, _ in reader.seen]

    @pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
    async def test_body_in_segments_of_one_byte_is_whole(self, read: Read, chunked: bool) -> None:
        reader = await read()
        browser = await reader.connect()
        for byte in post("/a", SMUGGLED, *OFFERS["curl --http2"], chunked=chunked) + GET:
            browser.send(bytes([byte]))
            await asyncio.sleep(0)
        await browser.read_response()
        await browser.read_response()
        assert reader.seen == [("POST", "/a", SMUGGLED), ("GET", "/next", b"")]
        await browser.close()

    @pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
    async def test_pipelined_ones_are_each_read_alone(self, read: Read, chunked: bool) -> None:
        reader = await read()
        browser = await reader.connect()
        one = post("/a", SMUGGLED, *OFFERS["unknown"], chunked=chunked)
        browser.send(one + GET + one + one + GET + handshake("/websocket/"))
        for _ in range(5):
            assert (await browser.read_response())[0] == 200
        assert (await browser.read_head()).startswith("HTTP/1.1 101 ")
        assert [path for _, path, _ in reader.seen] == ["/a", "/next", "/a", "/a", "/next"]
        assert {body for _, path, body in reader.seen if path == "/a"} == {SMUGGLED}
        await browser.close()

    @pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PUT", "PATCH", "OPTIONS"])
    async def test_every_method_keeps_its_body(self, read: Read, method: str) -> None:
        reader = await read()
        browser = await reader.connect()
        browser.send(post("/a", SMUGGLED, *OFFERS["unknown"], method=method), GET)
        await until(lambda: len(reader.seen) == 2)
        assert reader.seen == [(method, "/a", SMUGGLED), ("GET", "/next", b"")]
        await browser.close()

    async def test_application_sees_the_offer(self, read: Read) -> None:
        reader = await read()
        browser = await reader.connect()
        browser.send(post("/a", b"x", "Upgrade: h2c", "Upgrad_: websocket", "Connection: Upgrade"))
        await browser.read_response()
        (scope,) = reader.application.scopes
        assert scope["headers"] == [
            (b"host", b"a"),
            (b"content-length", b"1"),
            (b"upgrade", b"h2c"),
            (b"connection", b"Upgrade"),
        ]
        await browser.close()

    async def test_name_that_the_reader_uses_itself_makes_no_websocket(self, read: Read) -> None:
        reader = await read()
        browser = await reader.connect()
        browser.send(handshake("/a").replace(b"Upgrade: websocket", b"Upgrad_: websocket"))
        assert (await browser.read_response())[0] == 200
        assert not reader.upgrading.requests
        await browser.close()


class TestWebsocketsWithABody:
    @pytest.mark.parametrize(
        ("line", "body"),
        [
            ("Content-Length: 38", SMUGGLED),
            ("Content-Length: 38", b""),
            ("Transfer-Encoding: chunked", b"0\r\n\r\n" + SMUGGLED),
            ("Transfer-Encoding: chunked", b""),
        ],
    )
    async def test_get_with_one_gets_400_and_the_end(self, serving: Serving, line: str, body: bytes) -> None:
        browser = await RawBrowser.connect(serving.address)
        browser.send(handshake("/websocket/", line), body)
        assert (await browser.read_response())[0] == 400
        assert await browser.read_to_end() == b""
        assert serving.server.handshakes == {("refused", "head"): 1}
        await browser.close()

    async def test_length_of_nothing_is_no_body(self, serving: Serving) -> None:
        await (await RawBrowser.open(serving.address, "Content-Length: 0")).close()

    async def test_post_is_a_plain_request(self, serving: Serving) -> None:
        browser = await RawBrowser.connect(serving.address)
        browser.send(handshake("/websocket/").replace(b"GET", b"POST"), GET)
        assert (await browser.read_response())[0] == 426
        assert (await browser.read_response())[0] == 404
        await browser.close()


UNSOUND = [
    b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x, chunked\r\n\r\n0\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nX: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 38\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 38, 38\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: +38\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: a\r\nX: a\rUpgrade: b\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: a\r\nX: a\nUpgrade: b\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: a\r\nUpgrade : websocket\r\nConnection: Upgrade\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n y\r\nConnection: Upgrade\r\n\r\n",
    b"\nGET /a HTTP/1.1\r\n\r\n",
    b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"CONNECT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 38\r\n\r\n",
    b"CONNECT /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"GET /a\r\n\r\n",
    b"GET /a HTTP/0.9\r\n\r\n",
    b"GET /a HTTP/2.0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /a RTSP/1.0\r\n\r\n",
    b"GET  /a HTTP/1.1\r\n\r\n",
    b"GET /a  HTTP/1.1\r\n\r\n",
    b"GET /a HTTP/1.1 \r\n\r\n",
]
WRONG_CHUNKS = [
    b"3\nabc\r\n0\r\n\r\n",
    b"3\r\nabc\n0\r\n\r\n",
    b"3\r\nabcd\r\n0\r\n\r\n",
    b"3;a\nb\r\nabc\r\n0\r\n\r\n",
    b'3;a="\n"\r\nabc\r\n0\r\n\r\n',
    b"3 \r\nabc\r\n0\r\n\r\n",
    b"ZZ\r\nabc\r\n0\r\n\r\n",
    b"-5\r\nabc\r\n0\r\n\r\n",
    b"0x3\r\nabc\r\n0\r\n\r\n",
    b"+3\r\nabc\r\n0\r\n\r\n",
    b"ffffffffffffffff1\r\nabc",
    b"0\n\n",
    b"0\r\n\n",
    b"0\r\nX: y\n\r\n",
    b"0\r\n X: y\r\n\r\n",
]


class TestHeadsThatCanBeReadInTwoWays:
    @pytest.mark.parametrize("head", UNSOUND)
    async def test_they_get_400_and_nothing_behind_them_is_read(self, read: Read, head: bytes) -> None:
        reader = await read()
        browser = await reader.connect()
        browser.send(head, SMUGGLED)
        status = 505 if re.search(rb" HTTP/(?!1)", head) else 400
        assert (await browser.read_response())[0] == status
        assert await browser.read_to_end() == b""
        assert not reader.application.scopes
        assert reader.handshakes.counts == {("refused", "head"): 1}
        await browser.close()

    @pytest.mark.parametrize("chunks", WRONG_CHUNKS)
    async def test_wrong_chunks_end_their_request_and_the_connection(self, read: Read, chunks: bytes) -> None:
        reader = await read()
        browser = await reader.connect()
        browser.send(b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        await until(lambda: reader.application.scopes)
        browser.send(chunks, SMUGGLED)
        assert (await browser.read_response())[0] == 400
        assert await browser.read_to_end() == b""
        await until(lambda: reader.application.disconnects)
        assert not reader.seen
        await browser.close()


class TestBlanksAroundValues:
    """They do not count, anywhere (RFC 9112 section 5.1)."""

    @pytest.mark.parametrize("coding", ["\tchunked\t", "CHUNKED ", "  chunked"])
    async def test_coding(self, read: Read, coding: str) -> None:
        reader = await read()
        browser = await reader.connect()
        head = f"POST /a HTTP/1.1\r\nHost: site.example \r\nTransfer-Encoding:{coding}\r\n\r\n"
        browser.send(head.encode(), b"3\r\nabc\r\n0\r\n\r\n")
        assert (await browser.read_response())[2] == '["POST", "/a", 3]'
        assert reader.application.scopes[0]["headers"][0] == (b"host", b"site.example")
        await browser.close()

    async def test_key_and_version(self, serving: Serving) -> None:
        browser = await RawBrowser.connect(serving.address)
        lines = ["Host: a ", "Connection: Upgrade\t", "Upgrade:  websocket ", "Sec-WebSocket-Version: 13\t"]
        lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==  "]
        browser.send("\r\n".join(["GET /websocket/ HTTP/1.1", *lines, "", ""]).encode())
        head = await browser.read_head()
        assert head.startswith("HTTP/1.1 101 ")
        assert "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
        await browser.close()


class TestTrailers:
    async def test_they_are_dropped(self, read: Read) -> None:
        reader = await read()
        browser = await reader.connect()
        browser.send(b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n")
        browser.send(b"Authorization: Bearer T\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n\r\n", GET)
        await browser.read_response()
        await browser.read_response()
        assert reader.seen == [("POST", "/a", b"abc"), ("GET", "/next", b"")]
        assert reader.application.scopes[0]["headers"] == [(b"host", b"a"), (b"transfer-encoding", b"chunked")]
        await browser.close()

    @pytest.mark.parametrize(
        "lines", [b"X: " + b"y" * 21_000, b"X: y\r\n" * 3500, b"X" * 5_000_000], ids=["long", "many", "endless"]
    )
    async def test_they_count_in_the_heads_limit(self, read: Read, lines: bytes) -> None:
        reader = await read(max_head=20_000)
        browser = await reader.connect()
        browser.send(b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", lines)
        assert (await browser.read_response())[0] == 431
        assert await browser.read_to_end() == b""
        assert not reader.seen
        await browser.close()

    async def test_extensions_of_chunks_have_a_limit(self, read: Read) -> None:
        reader = await read(max_head=20_000)
        browser = await reader.connect()
        browser.send(b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=" + b"y" * 60_000)
        assert (await browser.read_response())[0] == 400
        await browser.close()

    async def test_a_large_body_counts_nothing(self, read: Read) -> None:
        reader = await read(max_head=1000)
        browser = await reader.connect()
        chunk = b"2710\r\n" + b"\r\n\r\n\n" * 2000 + b"\r\n"
        head = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        browser.send(head, chunk * 20, b"0\r\n\r\n")
        assert (await browser.read_response())[2] == '["POST", "/a", 200000]'
        await browser.close()


LOCATIONS = """
location = /smuggled {{ return 403; }}
location /awx/ {{
    proxy_pass http://awxfast;
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection "upgrade";
}}
location /map/ {{
    proxy_pass http://awxfast;
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $awxfast_connection;
}}
location /unbuffered/ {{
    proxy_pass http://kept;
    proxy_http_version 1.1;
    proxy_request_buffering off;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $kept_connection;
}}
"""
KEPT = """
map $http_upgrade $kept_connection {{ default upgrade; '' ''; }}
upstream kept {{ server 127.0.0.1:{port}; keepalive 4; }}
"""


class TestBehindNginx:
    """What nginx forwards is what the application sees."""

    @pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
    @pytest.mark.parametrize("offer", OFFERS)
    @pytest.mark.parametrize("location", ["/awx/", "/map/", "/unbuffered/"])
    async def test_body_is_a_body(
        self, read: Read, nginx: Callable[[int], str], location: str, offer: str, chunked: bool
    ) -> None:
        reader = await read()
        host, port = nginx(reader.port).split(":")
        browser = await RawBrowser.connect((host, int(port)))
        lines = [line for line in OFFERS[offer] if not line.startswith("Connection: close")]
        for number in range(3):
            browser.send(post(f"{location}{number}", SMUGGLED, *lines, chunked=chunked))
            assert (await browser.read_response())[2] == f'["POST", "{location}{number}", {len(SMUGGLED)}]'
        browser.send(SMUGGLED)
        assert (await browser.read_response())[0] == 403
        await browser.close()
        assert reader.seen == [("POST", f"{location}{number}", SMUGGLED) for number in range(3)]

    async def test_websocket_still_opens(self, read: Read, nginx: Callable[[int], str]) -> None:
        reader = await read()
        host, port = nginx(reader.port).split(":")
        browser = await RawBrowser.connect((host, int(port)))
        browser.send(handshake("/awx/websocket/"))
        assert (await browser.read_head()).startswith("HTTP/1.1 101 ")
        assert [request.path for request in reader.upgrading.requests] == ["/awx/websocket/"]
        await browser.close()


@pytest.fixture
def nginx(tmp_path: Path) -> Any:
    """Starts one before a port: its HOST:PORT."""
    running: list[Nginx] = []

    def start(port: int) -> str:
        running.append(Nginx(tmp_path, port, LOCATIONS.format(), KEPT.format(port=port)))
        return running[-1].address

    yield start
    for one in running:
        one.close()
