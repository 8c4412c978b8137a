"""The database goes under load: links that it told of stay and carry everything, and it is heard again afterwards."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from awxfast_dialler import AwxfastDialler
from events import GROUPS
from load import Load
from meshes import until
from nodes import SECRET, Node
from pages import Page, close_pages, open_page
from postgres_servers import PostgresServer, awx_database
from probes import Probes

RATE = 50.0
HEARTBEAT = 0.5
"""Seconds between two of a web node's; AWX's take 15."""
CURRENT = 15.0
"""Seconds after the database's return in which members must be known again, besides what a heartbeat takes."""


@pytest.fixture
def database() -> Iterator[PostgresServer]:
    with awx_database() as database:
        yield database


class Site:
    """Events of a task node go to a page on a web node, which the dialler knows from its heartbeats alone."""

    def __init__(self, folder: Path, database: PostgresServer) -> None:
        (folder / "secret").write_text(SECRET)
        self.database = database
        self.task, self.web = (Node(number, "awxfast awxfast", "relay", folder / "secret") for number in range(2))
        self.probes = Probes(self.task)
        self.page: Page

    async def start(self) -> None:
        await self.web.start_server()
        options = ("--postgres", self.database.tcp_dsn, "--port", str(self.web.server_port))
        await self.task.start_dialler("auto", [], *options)
        self.page = await open_page(self.web.server_url, GROUPS)
        await self.until_known("web", "127.0.0.1")
        await until(lambda: self.dialler.connected() == {f"web:{self.web.server_port}"})
        await self.probes.until_heard(self.page)

    @property
    def dialler(self) -> AwxfastDialler:
        assert isinstance(self.task.dialler, AwxfastDialler)
        return self.task.dialler

    async def until_known(self, name: str, address: str, seconds: float = 30.0) -> None:
        """A web node beats until the dialler has it."""
        beat = json.dumps({"hostname": name, "ip": address, "action": "online"})
        async with asyncio.timeout(seconds):
            while name not in [peer["host"].partition(":")[0] for peer in await self.ask_peers()]:
                await asyncio.to_thread(self.database.execute, f"SELECT pg_notify('web_ws_heartbeat', '{beat}')")
                await asyncio.sleep(HEARTBEAT)

    async def ask_peers(self) -> list[dict[str, Any]]:
        peers: list[dict[str, Any]] = (await asyncio.to_thread(self.dialler.ledger))["peers"]
        return peers

    def count_resources(self) -> dict[str, int]:
        """What a fault may leak."""
        assert self.dialler.process is not None
        assert self.task.redis is not None
        with self.task.redis.client() as client:
            connections = len(client.client_list())
        return {
            "descriptors": len(list(Path(f"/proc/{self.dialler.process.pid}/fd").iterdir())),
            "connections to PostgreSQL": self.database.connections("awxfast-broadcast"),
            "connections to Redis": connections,
        }

    async def close(self) -> None:
        await close_pages([self.page])
        for node in (self.task, self.web):
            await node.close()


@pytest.fixture
async def site(database: PostgresServer, tmp_path: Path) -> AsyncIterator[Site]:
    site = Site(tmp_path, database)
    await site.start()
    yield site
    await site.close()


LONG = [pytest.mark.long, pytest.mark.timeout(1200)]


@pytest.mark.parametrize(
    ("times", "seconds", "end"),
    [
        pytest.param(2, 0.5, PostgresServer.crash, id="scaled"),
        pytest.param(10, 60.0, PostgresServer.stop, marks=LONG, id="as in the case"),
    ],
)
async def test_case_c28_database_goes_and_comes_back(
    site: Site, times: int, seconds: float, end: Callable[[PostgresServer], None]
) -> None:
    before = await asyncio.to_thread(site.count_resources)
    async with Load([site.task], RATE) as load:
        for number in range(times):
            await load.go_on()
            await asyncio.to_thread(end, site.database)
            await asyncio.sleep(seconds)
            await load.go_on()
            assert f"web:{site.web.server_port}" in site.dialler.connected()
            await asyncio.to_thread(site.database.start)
            await site.until_known(f"new-{number}", f"127.0.0.{number + 2}", CURRENT + HEARTBEAT)
        await load.stop()
        await site.probes.until_heard(site.page)
    assert site.page.numbers(0) == load.made[0]
    site.page.assert_in_order_and_whole()
    assert site.dialler.text().count("connected to web ") == 1, "the link was never lost"
    await until(lambda: site.count_resources() == before)
