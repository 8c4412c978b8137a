"""The admin listener over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from awxfast.operate.admin import AdminListener
from awxfast.operate.view import OwnSource
from prometheus_client.parser import text_string_to_metric_families
from still_figures import ENGINE_NAME, LEDGER, PEERS, PLACE, SHOWN_ENGINE, StillFigures


class Served:
    """A listener with its figures, and a session to ask it with."""

    def __init__(self, figures: StillFigures, session: aiohttp.ClientSession) -> None:
        self.figures = figures
        self._session = session

    async def ask(self, path: str, method: str = "GET") -> tuple[int, str, aiohttp.ClientResponse]:
        async with self._session.request(method, path) as response:
            return response.status, await response.text(), response


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    sock = socket.create_server(("127.0.0.1", 0))
    figures = StillFigures()
    listener = await AdminListener.start(OwnSource(figures, PLACE), sock)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{sock.getsockname()[1]}") as session:
        yield Served(figures, session)
    await listener.stop()


class TestHealth:
    async def test_loop_runs(self, served: Served) -> None:
        assert (await served.ask("/healthz"))[:2] == (200, "ok\n")

    async def test_ready(self, served: Served) -> None:
        assert (await served.ask("/readyz"))[:2] == (200, "ok\n")

    async def test_not_ready_says_why_a_line_each(self, served: Served) -> None:
        served.figures.reasons = ["not listening yet", "Redis does not answer"]
        assert (await served.ask("/readyz"))[:2] == (503, "not listening yet\nRedis does not answer\n")
        assert (await served.ask("/healthz"))[0] == 200


class TestPages:
    async def test_ledger(self, served: Served) -> None:
        status, _, response = await served.ask("/ledger")
        assert status == 200
        assert response.content_type == "application/json"
        assert await response.json() == {**LEDGER, "peers": PEERS, "engine": SHOWN_ENGINE, "generation": 3}

    async def test_metrics(self, served: Served) -> None:
        status, text, response = await served.ask("/metrics")
        assert status == 200
        assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert list(text_string_to_metric_families(text))

    async def test_slow_clients(self, served: Served) -> None:
        _, _, response = await served.ask("/clients")
        row = {"client": 9, "frames": 20, "bytes": 2048, "shed": 3, "oldest_age": 1.5}
        assert await response.json() == [row]

    async def test_about(self, served: Served) -> None:
        _, _, response = await served.ask("/about")
        about = {"version": "1.2.3", "uptime": 90.5, "addresses": ["127.0.0.1:8055"]}
        names = {"redis": "redis://127.0.0.1:6379/0", "engine": ENGINE_NAME}
        assert await response.json() == {**about, **names, "main": 4242}

    async def test_status_page_needs_nothing_from_elsewhere(self, served: Served) -> None:
        status, text, response = await served.ask("/")
        assert status == 200
        assert response.content_type == "text/html"
        assert "http://" not in text and "https://" not in text and "src=" not in text

    async def test_query_is_no_part_of_the_path(self, served: Served) -> None:
        assert (await served.ask("/healthz?x=1"))[0] == 200

    async def test_nothing_is_kept(self, served: Served) -> None:
        _, _, response = await served.ask("/ledger")
        assert response.headers["cache-control"] == "no-store"


class TestOtherRequests:
    async def test_head_has_no_body(self, served: Served) -> None:
        status, text, response = await served.ask("/healthz", "HEAD")
        assert (status, text, response.headers["content-length"]) == (200, "", "3")

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
    async def test_writes_are_refused(self, served: Served, method: str) -> None:
        status, _, response = await served.ask("/ledger", method)
        assert (status, response.headers["allow"]) == (405, "GET, HEAD")

    async def test_unknown_page_names_those_that_exist(self, served: Served) -> None:
        status, text, _ = await served.ask("/nothing")
        assert status == 404
        assert "/readyz" in text

    async def test_upgrade_is_an_ordinary_request(self, served: Served) -> None:
        headers = {"connection": "upgrade", "upgrade": "websocket"}
        async with served._session.get("/healthz", headers=headers) as response:
            assert response.status == 200


class TestHost:
    """A page elsewhere may lead its own name to this listener, and read along: DNS rebinding."""

    @pytest.mark.parametrize("host", ["evil.example", "evil.example:8058", "localhost.evil.example", "10.0.0.1", ""])
    @pytest.mark.parametrize("path", ["/", "/ledger", "/metrics", "/healthz", "/readyz", "/clients", "/nothing"])
    async def test_names_that_lead_here_get_403(self, served: Served, host: str, path: str) -> None:
        async with served._session.get(path, headers={"Host": host}) as response:
            assert response.status == 403
            assert (await response.text()).startswith("only for a Host that is localhost")

    @pytest.mark.parametrize(
        "host",
        ["localhost", "localhost:9999", "127.0.0.1:8058", "127.0.1.1", "[::1]:8058", "app.localhost", "ip6-localhost"],
    )
    async def test_names_of_this_machine_are_answered(self, served: Served, host: str) -> None:
        async with served._session.get("/healthz", headers={"Host": host}) as response:
            assert response.status == 200

    async def test_no_host_or_two_get_403(self, served: Served) -> None:
        for head in (
            b"GET /ledger HTTP/1.1\r\nConnection: close\r\n",
            b"GET /ledger HTTP/1.0\r\n" + 2 * b"Host: localhost\r\n",
        ):
            assert (await self.ask(served, head)).startswith((b"HTTP/1.1 403 ", b"HTTP/1.1 400 "))

    async def test_load_balancer_that_speaks_http_1_0_without_a_host_is_answered(self, served: Served) -> None:
        assert (await self.ask(served, b"GET /healthz HTTP/1.0\r\n")).startswith(b"HTTP/1.1 200 ")

    async def test_refused_host_is_logged_once(self, served: Served, caplog: pytest.LogCaptureFixture) -> None:
        for _ in range(3):
            async with served._session.get("/healthz", headers={"Host": "evil.example"}) as response:
                assert response.status == 403
        assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
            "the admin listener answers 403 to Host evil.example: it must name this machine"
        ]

    async def ask(self, served: Served, head: bytes) -> bytes:
        address = served._session._base_url
        assert address is not None
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(head + b"\r\n")
        answer = await reader.read()
        writer.close()
        return answer


class TestUnixSocket:
    async def test_it_answers_there_too(self, tmp_path: Path) -> None:
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(tmp_path / "admin.sock"))
        sock.listen()
        listener = await AdminListener.start(OwnSource(StillFigures(), PLACE), sock)
        connector = aiohttp.UnixConnector(str(tmp_path / "admin.sock"))
        async with aiohttp.ClientSession(connector=connector) as session, session.get("http://x/healthz") as response:
            assert await response.text() == "ok\n"
        await listener.stop()
