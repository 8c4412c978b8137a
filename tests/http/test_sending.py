"""The sending side of a connection: who takes a response slowly gets all, who takes nothing goes."""

import asyncio
import socket
from typing import Any

import pytest
from answering_site import Site, StartSite, get, respond
from awxfast.http import service
from serving import until


async def flood(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while (await asyncio.sleep(0)) is None:
        await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})


class TestBlockedClients:
    async def test_blocked_send_returns_when_the_client_is_gone(self, site: Site) -> None:
        site.application.run = flood
        browser = await site.connect(get())
        await browser.read_head()
        browser.writer.transport.pause_reading()  # type: ignore[attr-defined]
        (connection,) = site.service.connections
        await until(lambda: connection._drained is not None)
        browser.reset()
        await until(lambda: not site.service.connections)
        await until(lambda: connection._drained is None)

    @pytest.mark.parametrize("whole", [True, False], ids=["whole", "streamed"])
    async def test_who_takes_nothing_of_a_response_is_cut_off(self, start_site: StartSite, whole: bool) -> None:
        site = await start_site(idle_timeout=0.3)
        site.application.run = respond(200, [(b"content-length", b"20000000")], b"x" * 20_000_000) if whole else flood
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, site.address)
        await asyncio.get_running_loop().sock_sendall(sock, get("/", "Connection: close"))
        await until(lambda: site.application.scopes)
        await until(lambda: not site.service.connections)
        sock.close()

    async def test_who_takes_it_slowly_gets_all(self, start_site: StartSite) -> None:
        site = await start_site(idle_timeout=0.5)
        site.application.run = respond(200, [(b"content-length", b"3000000")], b"x" * 3_000_000)
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, site.address)
        await loop.sock_sendall(sock, get("/", "Connection: close"))
        size = 0
        while part := await loop.sock_recv(sock, 100_000):
            size += len(part)
            await asyncio.sleep(0.03)
        assert size > 3_000_000
        sock.close()


class TestLastAnswers:
    """What was written last there is a while to read."""

    async def test_refused_client_reads_its_answer_before_the_end(self, site: Site) -> None:
        browser = await site.connect(b"nonsense\r\n\r\n", b"more of it" * 1000)
        assert (await browser.read_response())[0] == 400
        assert await browser.read_to_end() == b""
        await browser.close()

    async def test_who_does_not_leave_then_is_closed(
        self, start_site: StartSite, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, "LINGER_SECONDS", 0.05)
        site = await start_site()
        browser = await site.connect(b"nonsense\r\n\r\n")
        await browser.read_to_end()
        await until(lambda: not site.service.connections)
        await browser.close()

    async def test_request_whose_body_is_not_read_gets_its_answer_whole(self, site: Site) -> None:
        site.application.run = respond(200, [(b"content-length", b"4")], b"body")
        browser = await site.connect(get("/", "Content-Length: 1000000", method="POST"), b"x" * 500_000)
        assert (await browser.read_response())[::2] == (200, "body")
        await browser.close()
