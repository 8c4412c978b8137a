"""A mesh of many nodes, one with its clock wrong: the rest settles and stays, and that one bothers nobody."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from awxfast_dialler import AwxfastDialler
from meshes import until
from nodes import SECRET
from redis_servers import RedisServer
from servers import AwxfastServer
from stock_dialler import StockDialler
from stock_server import StockServer

CLOCK_ERROR = 83_644
ON_ITS_WAY = 10
"""Seconds that a handshake may take on a busy machine."""
SETTLED = 30.0
TRIES_A_MINUTE = 7
"""At most one in 10 s, less 2 % of each pause at random."""


class Nodes:
    """`count` nodes that are right and one that is not, each dialling all others by a file of peers; one Redis."""

    def __init__(self, redis_url: str, folder: Path, count: int) -> None:
        self.redis_url, self.count = redis_url, count
        self.secret_file, self.peers_file = folder / "secret", folder / "peers"
        self.secret_file.write_text(SECRET)
        self.servers: list[AwxfastServer] = []
        self.diallers: list[AwxfastDialler] = []

    async def start(self) -> None:
        for _ in range(self.count):
            options = ("--secret-file", str(self.secret_file))
            self.servers.append(await asyncio.to_thread(AwxfastServer, self.redis_url, *options))
        self.wrong_server = StockServer(self.redis_url, SECRET, "relay", clock_error=CLOCK_ERROR)
        await self.wrong_server.start()
        self.write_peers(self.addresses)
        for number in range(self.count):
            options = ("--peers-file", str(self.peers_file), "--name", f"node-{number}")
            self.diallers.append(AwxfastDialler(self.redis_url, self.secret_file, "relay", [], *options))
        self.wrong_dialler = StockDialler(
            self.redis_url, SECRET, "relay", self.addresses[:-1], retry=1.0, clock_error=CLOCK_ERROR
        )
        for dialler in self.diallers:
            await asyncio.to_thread(dialler.start)
        await self.wrong_dialler.start()

    @property
    def addresses(self) -> list[str]:
        """Of all servers, the wrong one's at the end."""
        return [f"127.0.0.1:{server.port}" for server in (*self.servers, self.wrong_server)]

    def write_peers(self, addresses: list[str]) -> None:
        self.peers_file.write_text("\n".join(addresses))

    def settled(self, addresses: list[str]) -> bool:
        """Whether every right dialler has a link to each of these, and to nobody else."""
        return all(dialler.connected() == set(addresses) for dialler in self.diallers)

    async def close(self) -> None:
        await self.wrong_dialler.stop()
        for part in (*self.diallers, *self.servers):
            await asyncio.to_thread(part.close)
        await self.wrong_server.stop()


@pytest.fixture
async def nodes(redis_server: RedisServer, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Nodes]:
    nodes = Nodes(redis_server.url, tmp_path, request.param)
    await nodes.start()
    yield nodes
    await nodes.close()


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("nodes", [3, 24], indirect=True)
async def test_case_c25_one_wrong_clock_among_many(nodes: Nodes) -> None:
    right = nodes.addresses[:-1]
    await until(lambda: nodes.settled(right), SETTLED)
    await asyncio.sleep(60)  # by then pauses have grown to their longest
    refused, begun = nodes.wrong_server.refused, time.monotonic()
    nodes.write_peers(nodes.addresses[1:])
    await until(lambda: nodes.settled(right[1:]))
    nodes.write_peers(nodes.addresses)
    await until(lambda: nodes.settled(right))
    await asyncio.sleep(begun + 60 - time.monotonic())
    tries = nodes.wrong_server.refused - refused
    print(f"{tries / nodes.count:.1f} tries a minute by each node")
    assert tries <= nodes.count * TRIES_A_MINUTE
    assert nodes.wrong_dialler.up == set()
    for dialler in nodes.diallers:
        text = dialler.text()
        assert text.count("connected to 127.0.0.1") == len(right) + 1, "only the one that came back is linked twice"
        assert text.count("can't connect to") == 1
    for server in nodes.servers:
        lines = re.findall(r"its clock is (\d+) seconds ahead of ours", server.text())
        assert 1 <= len(lines) <= 4, "once a minute at most"
        assert all(abs(int(seconds) - CLOCK_ERROR) <= ON_ITS_WAY for seconds in lines)
