"""A process that is killed says nothing to the nodes that send it events; who removes its names says it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from events import GROUPS
from meshes import until
from nodes import SECRET, Node
from pages import close_pages, open_page
from redis_servers import RedisServer
from servers import AwxfastServer

METRICS = 1
"""A group that every link has without being asked."""


@pytest.fixture
async def nodes(redis_server: RedisServer, tmp_path: Path) -> AsyncIterator[list[Node]]:
    """Two servers on one Redis, and a node elsewhere whose dialler has a link to the first alone."""
    (tmp_path / "secret").write_text(SECRET)
    started = [
        Node(0, "awxfast awxfast", "relay", tmp_path / "secret", redis_server.url),
        Node(1, "awxfast awxfast", "relay", tmp_path / "secret", redis_server.url),
        Node(2, "awxfast awxfast", "relay", tmp_path / "secret"),
    ]
    await asyncio.gather(*(node.start_server() for node in started[:2]))
    await started[2].start_dialler("relay", [started[0].address])
    yield started
    for node in started:
        await node.close()


async def test_groups_of_a_killed_process_are_not_sent_any_more(nodes: list[Node]) -> None:
    survivor, killed, sender = nodes
    assert isinstance(killed.server, AwxfastServer)
    dialler = sender.dialler
    pages = [await open_page(survivor.server_url, GROUPS[:1]), await open_page(killed.server_url, GROUPS)]
    await until(lambda: dialler.ledger()["groups"] == len(GROUPS) + METRICS)
    await asyncio.to_thread(killed.server.kill)
    assert dialler.ledger()["groups"] == len(GROUPS) + METRICS
    await asyncio.to_thread(killed.server.start)  # on arrival it removes what the dead one left
    await until(lambda: dialler.ledger()["groups"] == 1 + METRICS)
    assert dialler.connected(), "the link was never touched"
    await close_pages(pages)
