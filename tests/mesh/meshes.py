"""Nodes on this machine that dial each other, a page on each, and what must hold of events."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from events import GROUPS, group_of
from nodes import SECRET, Node
from pages import Page, close_pages, open_page
from servers import HANG

PROBES = 1000
"""What is added to a node's number for the producer of its probes."""


async def until(condition: Callable[[], bool], seconds: float = HANG) -> None:
    """Waits for something to come true; the time is only a guard against hanging."""
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


class Mesh:
    """Starts in order: servers, diallers, pages once all links are up."""

    def __init__(self, folder: Path, era: str, *kinds: str, dialler_era: str | None = None) -> None:
        self.secret_file = folder / "secret"
        self.dialler_era = dialler_era or era
        self.secret_file.write_text(SECRET + "\n")
        self.nodes = [Node(number, words, era, self.secret_file) for number, words in enumerate(kinds)]
        self.pages: list[Page] = []
        self.probes = 0

    async def start(self) -> None:
        await asyncio.gather(*(node.start_server() for node in self.nodes))
        await asyncio.gather(*(node.start_dialler(self.dialler_era, self.peers_of(node)) for node in self.nodes))
        await self.until_linked()
        self.pages = [await open_page(node.server.url, GROUPS) for node in self.nodes]
        await self.until_heard()

    def peers_of(self, node: Node) -> list[str]:
        return [other.address for other in self.nodes if other is not node]

    async def until_linked(self) -> None:
        links = len(self.nodes) * (len(self.nodes) - 1)
        async with asyncio.timeout(HANG):
            while True:
                if sum([await node.links_up() for node in self.nodes]) >= links:
                    return
                await asyncio.sleep(0.02)

    async def until_heard(
        self, nodes: Sequence[Node] = (), pages: Sequence[Page] = (), *, navigating: bool = False
    ) -> None:
        """Sends probes until each page has heard each node in each group: subscriptions travel unacknowledged.

        `navigating`: pages of stock servers subscribe again meanwhile, without which a new dialler never hears of them.
        """
        makers, hearers = nodes or self.nodes, pages or self.pages
        first = self.probes
        async with asyncio.timeout(HANG):
            while not all(
                page.has(PROBES + node.number, group, first) for page in hearers for node in makers for group in GROUPS
            ):
                if navigating:
                    self.navigate()
                for node in makers:
                    for group in GROUPS:
                        await node.send(PROBES + node.number, group, self.probes)
                self.probes += 1
                await asyncio.sleep(0.1)

    def navigate(self) -> None:
        for node, page in zip(self.nodes, self.pages, strict=True):
            if node.server_kind == "stock":
                page.navigate(GROUPS)

    async def send(self, count: int, era: str | None = None, first: int = 0) -> None:
        """So many events on every node at once, over all groups."""

        async def send_from(node: Node) -> None:
            for number in range(first, first + count):
                await node.send(node.number, group_of(number), number, era)

        await asyncio.gather(*(send_from(node) for node in self.nodes))

    async def assert_each_once(self, count: int) -> None:
        """Every page has the events 0 to count - 1 of every node, once and in order, and nothing goes round."""
        await until(lambda: all(page.count(node.number) >= count for page in self.pages for node in self.nodes))
        await self.until_heard()  # what loops would have come round by then
        for page in self.pages:
            assert {node.number: page.numbers(node.number) for node in self.nodes} == {
                node.number: list(range(count)) for node in self.nodes
            }
            page.assert_in_order_and_whole()

    async def close(self) -> None:
        await close_pages(self.pages)
        await asyncio.gather(*(node.close() for node in self.nodes))
