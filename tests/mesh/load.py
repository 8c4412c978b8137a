"""A steady stream of events on each node, while other things happen."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from events import group_of
from meshes import Mesh
from nodes import Node
from redis.exceptions import RedisError

UNWATCHED = "job_events-99"


class Load:
    """`rate` events a second on each node, numbered from 0; `made` are those that Redis took.

    `unwatched`: so many more with each, of a job that nobody looks at.
    """

    def __init__(self, nodes: Sequence[Node], rate: float, unwatched: int = 0) -> None:
        self.nodes, self.rate, self.unwatched = nodes, rate, unwatched
        self.made: dict[int, list[int]] = {node.number: [] for node in nodes}
        self.next = {node.number: 0 for node in nodes}
        self.stopping = asyncio.Event()

    async def __aenter__(self) -> "Load":
        self.tasks = [asyncio.create_task(self.send_from(node)) for node in self.nodes]
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """No more events, once those that are under way are sent."""
        self.stopping.set()
        await asyncio.gather(*self.tasks)

    async def send_from(self, node: Node) -> None:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        while not self.stopping.is_set():
            number = self.next[node.number]
            self.next[node.number] += 1
            with contextlib.suppress(RedisError, OSError):  # while its Redis is away
                await node.send(node.number, group_of(number), number)
                self.made[node.number].append(number)
                for _ in range(self.unwatched):
                    await node.send(node.number, UNWATCHED, number)
            await asyncio.sleep(max(0.0, begin + (number + 1) / self.rate - loop.time()))

    async def go_on(self, count: int = 20) -> None:
        """Waits for so many more events on each node."""
        wanted = {number: len(made) + count for number, made in self.made.items()}
        async with asyncio.timeout(60):
            while any(len(self.made[number]) < least for number, least in wanted.items()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def assert_all_came(mesh: Mesh, load: Load) -> None:
    """Every page has every event that was made, once and in order."""
    await load.stop()
    await mesh.until_heard()
    for page in mesh.pages:
        assert {number: page.numbers(number) for number in load.made} == load.made
        page.assert_in_order_and_whole()


def assert_nothing_is_lost(ledger: Mapping[str, Any]) -> None:
    """By the books of a server or a dialler."""
    assert ledger["balance"] == {"events": 0, "frames": 0}
    assert ledger["gaps"] == {}
    assert (sum(ledger["frames"]["shed"].values()), ledger["frames"]["lost_at_close"]) == (0, 0)
