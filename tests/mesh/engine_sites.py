"""Nodes on this machine whose events go by an engine: with no links at all, or with links beside it."""

import asyncio
from pathlib import Path

from awxfast_dialler import AwxfastDialler
from events import GROUPS
from meshes import Mesh
from nodes import Node
from pages import open_page
from servers import HANG, AwxfastServer


class EngineNode(Node):
    """An awxfast node that is in an engine; without an URL it is in none."""

    engine: str | None = None

    @property
    def words(self) -> tuple[str, ...]:
        return ("--engine", self.engine) if self.engine else ()

    async def start_server(self, port: int = 0) -> None:
        options = ("--secret-file", str(self.secret_file), *self.words)
        self.server = await asyncio.to_thread(AwxfastServer, self.redis_url, *options, port=port)

    async def publish(self, *peers: str) -> None:
        """Starts its dialler, or starts it anew."""
        await self.stop_dialler()
        await self.start_dialler(self.era, peers, *self.words)

    async def figures(self) -> dict:
        """What its dialler's ledger says of the engine."""
        assert isinstance(self.dialler, AwxfastDialler)
        return (await asyncio.to_thread(self.dialler.ledger))["engine"]


class EngineSite(Mesh):
    """`engines`: of each node, None for one that is in none. `links`: whether they dial each other as well."""

    def __init__(self, folder: Path, *engines: str | None, era: str = "relay", links: bool = False) -> None:
        super().__init__(folder, era)
        self.links = links
        self.nodes = [EngineNode(number, "awxfast awxfast", era, self.secret_file) for number, _ in enumerate(engines)]
        for node, engine in zip(self.nodes, engines, strict=True):
            node.engine = engine

    async def start(self) -> None:
        await asyncio.gather(*(node.start_server() for node in self.nodes))
        await asyncio.gather(*(node.publish(*self.peers_of(node)) for node in self.nodes))
        if self.links:
            await self.until_linked()
        self.pages = [await open_page(node.server.url, GROUPS) for node in self.nodes]
        await self.until_heard()

    def peers_of(self, node: Node) -> list[str]:
        return super().peers_of(node) if self.links else []

    async def until_silent(self, node: EngineNode, peers: int) -> None:
        """Its links to so many peers carry nothing."""
        assert isinstance(node.dialler, AwxfastDialler)
        async with asyncio.timeout(HANG):
            while True:
                ledger = await asyncio.to_thread(node.dialler.ledger)
                if sum(peer["silent"] for peer in ledger["peers"]) == peers:
                    return
                await asyncio.sleep(0.05)
