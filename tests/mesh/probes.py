"""Events that tell when a page hears a node: they take the way of all others, behind what is under way."""

import asyncio

from events import GROUPS
from nodes import Node
from pages import Page

PRODUCER = 9
STEP = 0.05


class Probes:
    """One node's."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.next = 0

    async def until_heard(self, page: Page, seconds: float = 60) -> None:
        """Sends them until one has come on the page for each group."""
        first = self.next
        async with asyncio.timeout(seconds):
            while not all(page.has(PRODUCER, group, first) for group in GROUPS):
                for group in GROUPS:
                    await self.node.send(PRODUCER, group, self.next)
                self.next += 1
                await asyncio.sleep(STEP)
