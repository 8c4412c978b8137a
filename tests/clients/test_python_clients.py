"""Python's http.client, requests and aiohttp against the site."""

import asyncio
import hashlib
import http.client
import io
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
import requests
from parity.hosts import HostingServer
from project.documents import DOCUMENT, ETAG
from servers import HANG

LARGE = bytes(range(241)) * 10_000
PARTS = [b"one", b"two" * 30_000, b"three"]
MODIFIED = "Thu, 29 Feb 2024 12:00:00 GMT"


def received(method: str, content: bytes) -> dict[str, Any]:
    """What the site tells of a body that it got whole."""
    return {"method": method, "length": len(content), "sha256": hashlib.sha256(content).hexdigest()}


class TestHttpClient:
    """One connection, which would open itself anew: so its socket is looked at."""

    @pytest.fixture
    def connection(self, server: HostingServer) -> Iterator[http.client.HTTPConnection]:
        one = http.client.HTTPConnection("127.0.0.1", server.port, timeout=HANG)
        one.connect()
        yield one
        one.close()

    def ask(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """One request on the connection, which has to last."""
        sock = connection.sock
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named, encode_chunked=named.get("Transfer-Encoding") == "chunked")
        response = connection.getresponse()
        content = response.read()
        assert connection.sock is sock
        return response, content

    def test_all_kinds_of_requests_on_one_connection(self, connection: http.client.HTTPConnection) -> None:
        for method, body in (("POST", b"small"), ("PUT", LARGE), ("PATCH", b""), ("DELETE", b"a body")):
            _, content = self.ask(connection, method, "/echo/", body)
            assert json.loads(content) == received(method, body)
        _, content = self.ask(connection, "POST", "/echo/", iter(PARTS), Transfer_Encoding="chunked")
        assert json.loads(content) == received("POST", b"".join(PARTS))

    def test_responses_without_a_body_leave_the_connection_in_step(
        self, connection: http.client.HTTPConnection
    ) -> None:
        head, content = self.ask(connection, "HEAD", "/document/")
        assert (head.status, head.getheader("Content-Length"), content) == (200, str(len(DOCUMENT)), b"")
        nothing, content = self.ask(connection, "GET", "/nothing/")
        assert (nothing.status, nothing.getheader("Content-Length"), content) == (204, None, b"")
        known, content = self.ask(connection, "GET", "/document/", If_None_Match=ETAG)
        assert (known.status, known.getheader("ETag"), content) == (304, ETAG, b"")
        known, content = self.ask(connection, "GET", "/document/", If_Modified_Since=MODIFIED)
        assert (known.status, content) == (304, b"")
        document, content = self.ask(connection, "GET", "/document/")
        assert (document.status, content) == (200, DOCUMENT)

    def test_range(self, connection: http.client.HTTPConnection) -> None:
        part, content = self.ask(connection, "GET", "/document/", Range="bytes=1000-1999")
        assert (part.status, content) == (206, DOCUMENT[1000:2000])
        assert part.getheader("Content-Range") == f"bytes 1000-1999/{len(DOCUMENT)}"

    def test_streamed_response_is_read_in_parts(self, connection: http.client.HTTPConnection) -> None:
        connection.request("GET", "/download/1000000/")
        response = connection.getresponse()
        assert response.getheader("Transfer-Encoding") == "chunked"
        assert sum(len(part) for part in iter(lambda: response.read(10_000), b"")) == 1_000_000

    def test_body_that_nobody_reads_is_no_request(self, connection: http.client.HTTPConnection) -> None:
        """The page answers without looking at the body; the next request has its own answer."""
        nothing, _ = self.ask(connection, "POST", "/nothing/", b"GET /where/ HTTP/1.1\r\nHost: a\r\n\r\n" * 100)
        where, content = self.ask(connection, "GET", "/where/")
        assert (nothing.status, where.status, json.loads(content)["path"]) == (204, 200, "/where/")


class TestRequests:
    @pytest.fixture
    def session(self) -> Iterator[requests.Session]:
        with requests.Session() as one:
            one.trust_env = False
            yield one

    def test_uploads(self, server: HostingServer, session: requests.Session) -> None:
        url = server.url("/echo/", "http")
        for body in (b"", b"small", LARGE):
            assert session.post(url, data=body, timeout=HANG).json() == received("POST", body)
        assert session.put(url, data=iter(PARTS), timeout=HANG).json() == received("PUT", b"".join(PARTS))

    def test_form_with_a_file(self, server: HostingServer, session: requests.Session) -> None:
        response = session.post(
            server.url("/upload/", "http"), data={"name": "Zoë"}, files={"file": io.BytesIO(LARGE)}, timeout=HANG
        )
        expected = {"fields": {"name": "Zoë"}, "files": {"file": hashlib.sha256(LARGE).hexdigest()}}
        assert response.json() == expected

    def test_document_its_part_and_its_head(self, server: HostingServer, session: requests.Session) -> None:
        url = server.url("/document/", "http")
        assert session.get(url, timeout=HANG).content == DOCUMENT
        part = session.get(url, headers={"Range": "bytes=5-"}, timeout=HANG)
        assert (part.status_code, part.content) == (206, DOCUMENT[5:])
        head = session.head(url, timeout=HANG)
        assert (head.status_code, head.headers["Content-Length"], head.content) == (200, str(len(DOCUMENT)), b"")
        known = session.get(url, headers={"If-None-Match": head.headers["ETag"]}, timeout=HANG)
        assert (known.status_code, known.content) == (304, b"")
        nothing = session.delete(server.url("/nothing/", "http"), timeout=HANG)
        assert (nothing.status_code, nothing.content) == (204, b"")

    def test_stream_comes_in_parts(self, server: HostingServer, session: requests.Session) -> None:
        with session.get(server.url("/ticks/", "http"), stream=True, timeout=HANG) as response:
            assert list(response.iter_lines()) == [b"0", b"1", b"2"]

    def test_login_with_its_redirect(self, server: HostingServer, session: requests.Session) -> None:
        session.get(server.url("/live/", "http"), timeout=HANG)
        form = {"username": "alice", "password": "a password", "next": ""}
        token = {"X-CSRFToken": session.cookies["csrftoken"]}
        page = session.post(server.url("/login/", "http"), data=form, headers=token, timeout=HANG)
        assert [response.status_code for response in (*page.history, page)] == [302, 200]
        assert session.get(server.url("/whoami/", "http"), timeout=HANG).json() == {"user": 1}


class TestAiohttp:
    @pytest.fixture
    async def session(self, server: HostingServer) -> AsyncIterator[aiohttp.ClientSession]:
        timeout = aiohttp.ClientTimeout(HANG)
        async with aiohttp.ClientSession(server.url("", "http"), timeout=timeout) as one:
            yield one

    async def test_uploads(self, session: aiohttp.ClientSession) -> None:
        async def parts() -> AsyncIterator[bytes]:
            for part in PARTS:
                yield part
                await asyncio.sleep(0)

        for body in (b"", b"small", LARGE):
            async with session.post("/echo/", data=io.BytesIO(body)) as response:
                assert await response.json() == received("POST", body)
        async with session.post("/echo/", data=parts()) as response:
            assert await response.json() == received("POST", b"".join(PARTS))
        async with session.put("/echo/", data=io.BytesIO(LARGE), expect100=True) as response:
            assert await response.json() == received("PUT", LARGE)

    async def test_document_its_part_and_its_head(self, session: aiohttp.ClientSession) -> None:
        async with session.get("/document/") as response:
            assert await response.read() == DOCUMENT
        async with session.get("/document/", headers={"Range": "bytes=7-9"}) as response:
            assert (response.status, await response.read()) == (206, DOCUMENT[7:10])
        async with session.head("/document/") as response:
            assert (response.status, response.content_length) == (200, len(DOCUMENT))
        async with session.get("/document/", headers={"If-None-Match": ETAG}) as response:
            assert (response.status, await response.read()) == (304, b"")
        async with session.get("/nothing/") as response:
            assert (response.status, await response.read()) == (204, b"")

    async def test_events_come_one_by_one(self, session: aiohttp.ClientSession) -> None:
        async with session.get("/events/", headers={"Last-Event-ID": "41"}) as response:
            assert response.content_type == "text/event-stream"
            lines = [line async for line in response.content if line.startswith(b"data")]
            assert lines == [b"data: 42\n", b"data: 43\n", b"data: 44\n"]

    async def test_many_at_the_same_time_have_their_own_answers(self, session: aiohttp.ClientSession) -> None:
        async def upload(size: int) -> int:
            async with session.post("/echo/", data=b"u" * size) as response:
                return int((await response.json())["length"])

        sizes = [number * 777 for number in range(100)]
        assert await asyncio.gather(*map(upload, sizes)) == sizes

    async def test_site_serves_on_after_clients_that_leave_in_the_middle(self, session: aiohttp.ClientSession) -> None:
        for _ in range(10):
            async with session.get("/download/30000000/") as response:
                await response.content.readexactly(1000)
                response.close()
        async with session.get("/where/") as response:
            assert response.status == 200
