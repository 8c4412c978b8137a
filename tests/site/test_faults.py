"""Consumers and views that do wrong: whatever they do, everybody else is served."""

import asyncio
import contextlib
import statistics
import time
from pathlib import Path

import aiohttp
import pytest
from parity.hosts import HostingServer
from parity.raw_client import RawClient, upgrade
from resets import reset_at_close
from servers import HANG, wait_for
from site_process import Site, open_session

GIVEN_UP = "The application took too long to end and is cancelled: GET '/block/"


async def assert_serves(session: aiohttp.ClientSession, server: HostingServer) -> None:
    async with session.get(server.url("/whoami/", "http")) as response:
        assert response.status == 200
    async with session.ws_connect(server.url("/ws/echo/", "http")) as socket:
        await socket.send_str("still here")
        assert await socket.receive_str(timeout=HANG) == "still here"


def vanish(server: HostingServer, path: str, count: int) -> None:
    """Opens so many websockets, each of which is reset at once."""
    for _ in range(count):
        with RawClient(server.address) as client:
            upgrade(client, path)
            reset_at_close(client.sock)


class TestConsumers:
    async def test_raising_in_connect(self, server: HostingServer) -> None:
        # daphne's answer is now and then lost in a reset.
        refused = (aiohttp.WSServerHandshakeError, *[aiohttp.ClientOSError] * (server.kind == "daphne"))
        async with open_session() as session:
            with pytest.raises(refused) as caught:
                await session.ws_connect(server.url("/ws/raise/", "http"))
            # The stock layer's receiving may hold up the consumer's end until the time for a decision is over.
            assert getattr(caught.value, "status", 500) in (500, 403)
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

    async def test_storm_of_500_browsers(self, server: HostingServer) -> None:
        """All at once: half of them close in order, half vanish in a reset as soon as they have their 101."""
        path, half = "/ws/chat/storm/", 250 if server.kind == "awxfast" else 50  # daphne refuses whom it keeps waiting
        async with open_session() as session:
            vanishing = asyncio.create_task(asyncio.to_thread(vanish, server, path, half))
            sockets = await asyncio.gather(*(session.ws_connect(server.url(path, "http")) for _ in range(half)))
            await asyncio.gather(vanishing, *(socket.close() for socket in sockets))
            await assert_serves(session, server)
        await asyncio.to_thread(wait_for, lambda: server.access.count(f"WSDISCONNECT {path}") == 2 * half)


class TestViews:
    async def test_blocking_view_whose_client_is_gone(self, server: HostingServer) -> None:
        """django/daphne#579, with 20 clients and 30 s."""
        async with open_session() as session:
            await hang_up(server, "/block/30/", 20)
            began = time.monotonic()
            async with session.ws_connect(server.url("/ws/chat/calm/", "http")) as socket:
                await socket.send_json({"say": "calm"})
                assert await socket.receive_json(timeout=HANG) == {"said": "calm"}
            assert time.monotonic() - began < 30
            if server.kind == "awxfast":  # whose loop goes on when the applications are given up, too
                await asyncio.to_thread(wait_for, lambda: server.log.count(GIVEN_UP) == 20)
                await assert_serves(session, server)
                assert time.monotonic() - began < 30

    @pytest.mark.long
    async def test_100_views_that_block_for_60_seconds(self, site: Site, tmp_path: Path) -> None:
        """django/daphne#579 in full: answers come all the time, all is counted, and the end comes in time."""
        admin = tmp_path / "admin"
        server = site.serve("awxfast", "--application-close-timeout", "2", "--grace", "2", "--admin", str(admin))
        async with open_session() as session:
            await hang_up(server, "/block/60/", 100)
            took = [await measure(session, server) for _ in range(200)]
        assert server.log.count(GIVEN_UP) == 100
        assert await read_metric(admin, "awxfast_busy_threads") >= 100
        began = time.monotonic()
        server.close()
        print(f"slowest of {len(took)} answers: {max(took) * 1000:.0f} ms; end: {time.monotonic() - began:.1f} s")
        assert statistics.median(took) < 0.1
        assert max(took) < 5
        assert server.process.returncode == 0


async def hang_up(server: HostingServer, path: str, clients: int) -> None:
    """So many clients, who ask, and don't wait for the answer of a view that is at work for them.

    They reset: half a close would be no end.
    """
    before = server.log.count("a view blocks")
    with contextlib.ExitStack() as opened:
        for _ in range(clients):
            client = opened.enter_context(RawClient(server.address))
            opened.callback(client.reset)
            client.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        await asyncio.to_thread(wait_for, lambda: server.log.count("a view blocks") == before + clients)


async def measure(session: aiohttp.ClientSession, server: HostingServer) -> float:
    """Seconds that a page and a websocket of the site take."""
    await asyncio.sleep(0.05)
    began = time.monotonic()
    await assert_serves(session, server)
    return time.monotonic() - began


async def read_metric(admin: Path, name: str) -> float:
    connector = aiohttp.UnixConnector(str(admin))
    async with aiohttp.ClientSession(connector=connector) as session, session.get("http://admin/metrics") as response:
        lines = (await response.text()).splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


async def test_consumer_whose_task_is_killed(server: HostingServer) -> None:
    async with open_session() as session:
        if server.kind == "awxfast":
            async with session.ws_connect(server.url("/ws/killed/", "http")) as socket:
                await socket.send_str("die")
                await socket.receive(timeout=HANG)
                assert socket.close_code == 1011
        await assert_serves(session, server)
    wait_for(lambda: server.process.poll() is None)
