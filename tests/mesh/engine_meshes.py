"""Nodes of awxfast between which an engine carries events, with links between them or without."""

import asyncio
from pathlib import Path
from typing import Any

from awxfast_dialler import AwxfastDialler
from events import GROUPS
from meshes import Mesh
from nodes import Node
from pages import open_page
from servers import HANG


class EngineMesh(Mesh):
    """Three nodes unless `count` says otherwise. `linked`: their diallers dial each other as well.

    The last `without` of them are in no engine.
    """

    def __init__(
        self, folder: Path, engine: str, count: int = 3, *, linked: bool = False, era: str = "relay", without: int = 0
    ) -> None:
        super().__init__(folder, era, *["awxfast awxfast"] * count)
        self.engine = engine
        self.linked = linked
        self.engine_words = {node.number: ("--engine", engine) for node in self.nodes[: count - without]}
        for node in self.nodes:
            node.server_options = self.words_of(node)

    def words_of(self, node: Node) -> tuple[str, ...]:
        return self.engine_words.get(node.number, ())

    async def start(self) -> None:
        await asyncio.gather(*(node.start_server() for node in self.nodes))
        await asyncio.gather(*(self.start_dialler(node) for node in self.nodes))
        if self.linked:
            await self.until_linked()
        self.pages = [await open_page(node.server.url, GROUPS) for node in self.nodes]
        await self.until_heard()

    async def start_dialler(self, node: Node) -> None:
        """As the mesh has it."""
        await node.start_dialler(self.dialler_era, self.peers_of(node), *self.words_of(node))

    def peers_of(self, node: Node) -> list[str]:
        return super().peers_of(node) if self.linked else []

    async def until_silent(self, node: Node, links: int) -> None:
        """So many links of its dialler carry nothing."""
        async with asyncio.timeout(HANG):
            while sum(peer["silent"] for peer in (await ask_dialler(node))["peers"]) != links:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def until_engine_is(self, *, up: bool) -> None:
        """In the eyes of all diallers."""
        async with asyncio.timeout(HANG):
            while any([(await ask_dialler(node))["engine"]["up"] is not up for node in self.nodes]):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def ledgers(self) -> list[dict[str, Any]]:
        """Of all servers."""
        return [await asyncio.to_thread(node.server.ledger) for node in self.nodes]


async def ask_dialler(node: Node) -> dict[str, Any]:
    """The ledger of its dialler."""
    assert isinstance(node.dialler, AwxfastDialler)
    return await asyncio.to_thread(node.dialler.ledger)
