"""Consumers and views that do wrong: whatever they do, everybody else is served."""

import asyncio
import time

import aiohttp
import pytest
from parity.hosts import HostingServer
from parity.raw_client import RawClient
from servers import HANG, wait_for
from site_process import open_session


async def assert_serves(session: aiohttp.ClientSession, server: HostingServer) -> None:
    async with session.get(server.url("/whoami/", "http")) as response:
        assert response.status == 200
    async with session.ws_connect(server.url("/ws/echo/", "http")) as socket:
        await socket.send_str("still here")
        assert await socket.receive_str(timeout=HANG) == "still here"


class TestConsumers:
    async def test_raising_in_connect(self, server: HostingServer) -> None:
        # daphne's answer is now and then lost in a reset.
        refused = (aiohttp.WSServerHandshakeError, *[aiohttp.ClientOSError] * (server.kind == "daphne"))
        async with open_session() as session:
            for _ in range(1 if server.kind == "daphne" else 5):  # it takes 3 s each time
                with pytest.raises(refused) as caught:
                    await session.ws_connect(server.url("/ws/raise/", "http"))
                assert getattr(caught.value, "status", 500) == 500
            await assert_serves(session, server)

    async def test_never_accepting(self, server: HostingServer) -> None:
        async with open_session() as session:
            waiting = [asyncio.create_task(session.ws_connect(server.url("/ws/silent/", "http"))) for _ in range(5)]
            await asyncio.sleep(0.2)
            await assert_serves(session, server)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def test_sending_after_close(self, server: HostingServer) -> None:
        async with open_session() as session:
            async with session.ws_connect(server.url("/ws/late/", "http")) as socket:
                await socket.send_str("go")
                assert (await socket.receive(timeout=HANG)).type is aiohttp.WSMsgType.CLOSE
                assert socket.close_code == 4000
            await assert_serves(session, server)

    async def test_reconnecting_browsers(self, server: HostingServer) -> None:
        """500 in ten waves: half of them close, half of them are just gone."""
        async with open_session() as session:
            for _ in range(10):
                url = server.url("/ws/chat/storm/", "http")
                sockets = await asyncio.gather(*(session.ws_connect(url) for _ in range(25)))
                await asyncio.gather(*(socket.close() for socket in sockets))
                for _ in range(25):
                    with RawClient(server.address) as client:
                        client.send(b"GET /ws/chat/storm/ HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n")
            await assert_serves(session, server)


class TestViews:
    async def test_blocking_view_whose_client_is_gone(self, server: HostingServer) -> None:
        """C47, with 20 clients and 30 s."""
        async with open_session() as session:
            for _ in range(20):
                with RawClient(server.address) as client:
                    client.send(b"GET /block/30/ HTTP/1.1\r\nHost: a\r\n\r\n")
                    await asyncio.sleep(0.01)
            began = time.monotonic()
            async with session.ws_connect(server.url("/ws/chat/calm/", "http")) as socket:
                await socket.send_json({"say": "calm"})
                assert await socket.receive_json(timeout=HANG) == {"said": "calm"}
            assert time.monotonic() - began < 30
            if server.kind == "awxfast":  # whose loop goes on when the applications are given up, too
                wait_for(lambda: server.log.count("took too long to end and is cancelled: GET '/block/") == 20)
                await assert_serves(session, server)
                assert time.monotonic() - began < 30


async def test_consumer_whose_task_is_killed(server: HostingServer) -> None:
    async with open_session() as session:
        if server.kind == "awxfast":
            async with session.ws_connect(server.url("/ws/killed/", "http")) as socket:
                await socket.send_str("die")
                await socket.receive(timeout=HANG)
                assert socket.close_code == 1011
        await assert_serves(session, server)
    wait_for(lambda: server.process.poll() is None)
