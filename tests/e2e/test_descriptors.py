"""Strangers who hold connections: open websockets, nodes, newcomers and the operator notice nothing of them."""

import asyncio
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from awxfast._rust import sign_secret
from awxfast.http.plain_connections import TLS_WEIGHT
from browsers import Browser, command
from certificates import SelfSigned
from channels_redis.core import RedisChannelLayer
from picows import ws_connect
from redis_servers import RedisServer
from servers import AwxfastServer, wait_for

SECRET = "of all nodes"
DESCRIPTORS = 256
DIALS = 400
EVENTS = 200


class LimitedServer(AwxfastServer):
    """One that may have few descriptors."""

    def start(self) -> None:
        if self.command[0] != "sh":
            self.command = ["sh", "-c", f'ulimit -n {DESCRIPTORS}; exec "$@"', "sh", *self.command]
        super().start()

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.child_pid()}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.child_pid()}/fd").iterdir()))

    def log_lines(self) -> list[str]:
        return [line for line in self.text().splitlines() if "no place for more" in line]


@pytest.fixture
def limited(redis_server: RedisServer, tmp_path: Path) -> Iterator[LimitedServer]:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    server = LimitedServer(redis_server.url, "--secret-file", str(secret))
    yield server
    server.close()


def dial(port: int, count: int = DIALS) -> list[socket.socket]:
    """Connections that never say a word; some may be refused."""
    dialled = []
    for _ in range(count):
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex(("127.0.0.1", port))
        dialled.append(connection)
    return dialled


class Page(Browser):
    """Keeps events as they come."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def receive_text(self, text: str) -> None:
        self.texts.append(text)
        self.changed.set()


async def open_page(server: AwxfastServer, url: str | None = None, **options: Any) -> Page:
    _, page = await ws_connect(Page, url or server.url, use_aiofastnet=False, **options)
    page.transport.send(1, command(["job_events-1"]).encode())
    await page.until(lambda: any("groups_joined" in text for text in page.texts))
    return page


async def open_node(server: AwxfastServer) -> int:
    headers = {"secret": sign_secret(SECRET, int(time.time()))}
    url = server.url.replace("/websocket/", "/websocket/relay/")
    async with aiohttp.ClientSession() as session, session.ws_connect(url, headers=headers) as link:
        return int(not link.closed)


class TestFewDescriptors:
    """Descriptors that run out (centrifugal/centrifugo#429)."""

    async def test_silent_connections_lock_nobody_out(self, limited: LimitedServer, redis_server: RedisServer) -> None:
        page = await open_page(limited)
        layer = RedisChannelLayer(hosts=[redis_server.url])
        silent = dial(limited.port)
        before = limited.cpu_seconds()
        for number in range(EVENTS):
            await layer.group_send("job_events-1", {"type": "internal.message", "text": f"event {number}"})
            await asyncio.sleep(0.01)
        await page.until(lambda: page.texts[-1] == f"event {EVENTS - 1}")
        assert [text for text in page.texts if text.startswith("event")] == [f"event {n}" for n in range(EVENTS)]
        assert limited.cpu_seconds() - before < 1.5, "it spins: this took 2 seconds at least"

        assert await asyncio.to_thread(limited.ask, "/healthz") == "ok\n"
        assert json.loads(await asyncio.to_thread(limited.ask, "/ledger"))["clients"] == 1
        assert await open_node(limited) == 1
        newcomer = await open_page(limited)
        assert limited.descriptors() < DESCRIPTORS - 8
        assert limited.metric("awxfast_plain_connections_ended_total") > 0
        assert limited.metric("awxfast_plain_connections") <= DESCRIPTORS / 4
        assert len(limited.log_lines()) == 1

        for connection in silent:
            connection.close()
        wait_for(lambda: limited.metric("awxfast_plain_connections") < 4)
        last = await open_page(limited)
        for one in (page, newcomer, last):
            one.transport.disconnect()
        await layer.flush()

    async def test_slow_heads_and_bodies_lock_no_websocket_out(self, limited: LimitedServer) -> None:
        slow = dial(limited.port)
        for number, connection in enumerate(slow):
            part = (
                b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n" if number % 2 else b"GET / HTTP/1.1\r\nX: "
            )
            wait_for(lambda connection=connection, part=part: send(connection, part))
        page = await open_page(limited)
        assert await open_node(limited) == 1
        assert await asyncio.to_thread(limited.ask, "/healthz") == "ok\n"
        page.transport.disconnect()
        for connection in slow:
            connection.close()


class TestSilentBeforeTls:
    """Whoever connects to a TLS listener has a place before the handshake, and the first ones go for others."""

    @pytest.fixture
    def files(self, tmp_path: Path) -> SelfSigned:
        return SelfSigned(tmp_path)

    @pytest.fixture
    def limited(self, redis_server: RedisServer, files: SelfSigned, tmp_path: Path) -> Iterator[LimitedServer]:
        secret = tmp_path / "secret"
        secret.write_text(SECRET)
        endpoint = f"ssl:0:interface=127.0.0.1:privateKey={files.private_key}:certKey={files.certificate}"
        server = LimitedServer(redis_server.url, "--secret-file", str(secret), "-e", endpoint)
        yield server
        server.close()

    async def test_nobody_is_locked_out(self, limited: LimitedServer, files: SelfSigned) -> None:
        tls_port, limited.port = (
            int(port) for port in re.findall(r"Listening on TCP address \S+:(\d+)", limited.text())
        )
        url = f"wss://127.0.0.1:{tls_port}/websocket/"
        silent = dial(tls_port, 260)
        await asyncio.sleep(0.5)
        assert await asyncio.to_thread(limited.ask, "/healthz") == "ok\n"
        assert limited.metric("awxfast_plain_connections") <= DESCRIPTORS / 4 / TLS_WEIGHT + 2
        assert await open_node(limited) == 1
        pages = [await open_page(limited), await open_page(limited, url, ssl_context=files.trust())]
        assert len(limited.log_lines()) == 1
        for one in pages:
            one.transport.disconnect()
        for connection in silent:
            connection.close()
        wait_for(lambda: limited.metric("awxfast_plain_connections") < 4)


def send(connection: socket.socket, data: bytes) -> bool:
    """Whether it is sent, or nobody takes it."""
    try:
        return connection.send(data) > 0
    except BlockingIOError:
        return False
    except OSError:
        return True
