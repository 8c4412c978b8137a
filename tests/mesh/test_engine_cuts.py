"""An engine that is cut in two: each half goes on with its own nodes, which have no connection that breaks."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from engine_meshes import EngineMesh
from load import Load
from nats_servers import NatsServer
from redis_servers import free_port
from stalling_proxy import StallingProxy


class Halves:
    """Two servers of NATS with one route between them."""

    def __init__(self, folder: Path) -> None:
        route = free_port()
        self.folder = folder
        self.first = NatsServer(folder, "first", f"cluster {{ name: test, listen: 127.0.0.1:{route} }}")
        self.route = StallingProxy(route)

    async def start(self) -> None:
        await self.route.start()
        to_first = f'routes: ["nats://{self.route.address}"]'
        listen = f"listen: 127.0.0.1:{free_port()}"
        self.second = NatsServer(self.folder, "second", f"cluster {{ name: test, {listen}, {to_first} }}")
        for server in (self.first, self.second):
            await asyncio.to_thread(server.start)

    def cut(self) -> None:
        self.route.freeze()
        self.route.cut()

    async def stop(self) -> None:
        self.first.kill()
        self.second.kill()
        await self.route.stop()


@pytest.fixture
async def halves(tmp_path: Path) -> AsyncIterator[Halves]:
    servers = Halves(tmp_path)
    await servers.start()
    yield servers
    await servers.stop()


@pytest.mark.long
async def test_nodes_of_both_halves_hear_each_other_soon_and_know_what_they_missed(
    halves: Halves, tmp_path: Path
) -> None:
    mesh = EngineMesh(tmp_path, f"nats://{halves.first.place}", 2)
    mesh.engine_words[1] = mesh.nodes[1].server_options = ("--engine", f"nats://{halves.second.place}")
    try:
        await mesh.start()
        async with Load(mesh.nodes, 60) as load:
            await load.go_on()
            halves.cut()
            await asyncio.sleep(20)  # by then nobody is taken to be there any more who was not heard
            halves.route.thaw()
            async with asyncio.timeout(5):
                await mesh.until_heard()
            await load.stop()
            await mesh.until_heard()
        for page, ledger in zip(mesh.pages, await mesh.ledgers(), strict=True):
            page.assert_in_order_and_whole()
            missed = sum(len(made) - page.count(number) for number, made in load.made.items())
            assert 0 < missed <= ledger["gaps"]["engine_missed"]["at_most"]
    finally:
        await mesh.close()
