"""Nodes of awxfast between which an engine carries events, with links between them or without."""

import asyncio
from pathlib import Path
from typing import Any

from events import GROUPS
from meshes import Mesh
from nodes import Node
from pages import open_page


class EngineMesh(Mesh):
    """Three nodes unless `count` says otherwise. `linked`: their diallers dial each other as well."""

    def __init__(self, folder: Path, engine: str, count: int = 3, *, linked: bool = False) -> None:
        super().__init__(folder, "relay", *["awxfast awxfast"] * count)
        self.engine = engine
        self.linked = linked
        for node in self.nodes:
            node.server_options = ("--engine", engine)

    async def start(self) -> None:
        await asyncio.gather(*(node.start_server() for node in self.nodes))
        await asyncio.gather(*(self.start_dialler(node) for node in self.nodes))
        if self.linked:
            await self.until_linked()
        self.pages = [await open_page(node.server.url, GROUPS) for node in self.nodes]
        await self.until_heard()

    async def start_dialler(self, node: Node) -> None:
        """As the mesh has it."""
        await node.start_dialler(self.dialler_era, self.peers_of(node), "--engine", self.engine)

    def peers_of(self, node: Node) -> list[str]:
        return super().peers_of(node) if self.linked else []

    async def ledgers(self) -> list[dict[str, Any]]:
        """Of all servers."""
        return [await asyncio.to_thread(node.server.ledger) for node in self.nodes]
