"""Stock-like and awxfast nodes mixed, in every role and either era: every event reaches every browser exactly once."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from events import GROUPS
from meshes import Mesh, until
from nodes import SECRET, Node
from pages import close_pages, open_page
from redis_servers import RedisServer
from servers import AwxfastServer, wait_for

StartMesh = Callable[..., Awaitable[Mesh]]
EVENTS = 30

PAIRS = {
    "a stock node and an awxfast node": ("stock stock", "awxfast awxfast"),
    "awxfast nodes": ("awxfast awxfast", "awxfast awxfast"),
}
EIGHT = ("stock stock", "awxfast awxfast", "stock awxfast", "awxfast stock") * 2


async def assert_books_are_balanced(mesh: Mesh) -> None:
    for node in mesh.nodes:
        if isinstance(node.server, AwxfastServer):
            ledger = await asyncio.to_thread(node.server.ledger)
            assert ledger["balance"] == {"events": 0, "frames": 0}
            assert ledger["events"]["rejected"] == {}


@pytest.mark.parametrize("era", ["broadcast", "relay"])
@pytest.mark.parametrize("kinds", PAIRS.values(), ids=PAIRS)
class TestPairs:
    async def test_every_event_reaches_every_browser_once(
        self, era: str, kinds: tuple[str, str], start_mesh: StartMesh
    ) -> None:
        mesh = await start_mesh(era, *kinds)
        await mesh.send(EVENTS)
        await mesh.assert_each_once(EVENTS)
        await assert_books_are_balanced(mesh)


@pytest.mark.parametrize("era", ["broadcast", "relay"])
class TestLargerMeshes:
    async def test_three_nodes_whose_diallers_find_the_era(self, era: str, start_mesh: StartMesh) -> None:
        mesh = await start_mesh(era, "stock awxfast", "awxfast stock", "awxfast awxfast", dialler_era="auto")
        await mesh.send(EVENTS)
        await mesh.assert_each_once(EVENTS)
        await assert_books_are_balanced(mesh)

    @pytest.mark.long
    @pytest.mark.timeout(300)
    @pytest.mark.parametrize("dialler_era", ["its own", "auto"])
    async def test_eight_mixed_nodes(self, era: str, dialler_era: str, start_mesh: StartMesh) -> None:
        mesh = await start_mesh(era, *EIGHT, dialler_era="auto" if dialler_era == "auto" else era)
        await mesh.send(100)
        await mesh.assert_each_once(100)
        await assert_books_are_balanced(mesh)

    @pytest.mark.long
    @pytest.mark.timeout(300)
    async def test_eight_awxfast_nodes(self, era: str, start_mesh: StartMesh) -> None:
        mesh = await start_mesh(era, *["awxfast awxfast"] * 8)
        await mesh.send(100)
        await mesh.assert_each_once(100)
        await assert_books_are_balanced(mesh)


async def test_eight_nodes_of_the_relay_era(start_mesh: StartMesh) -> None:
    mesh = await start_mesh("relay", "awxfast awxfast", *EIGHT[1:4], *["stock stock"] * 4, dialler_era="auto")
    await mesh.send(9)
    await mesh.assert_each_once(9)
    await assert_books_are_balanced(mesh)


async def test_relay_links_of_awxfast_ends_carry_events_of_either_eras_producers(start_mesh: StartMesh) -> None:
    mesh = await start_mesh("relay", *["awxfast awxfast"] * 2, dialler_era="auto")
    await mesh.send(EVENTS, era="broadcast")
    await mesh.send(EVENTS, first=EVENTS)
    await mesh.assert_each_once(2 * EVENTS)
    await assert_books_are_balanced(mesh)


async def test_browsers_that_subscribed_before_the_link_are_heard_of(start_mesh: StartMesh) -> None:
    """The hole of the stock relay: a dialler that comes back is told all that is wanted. A stock one, too."""
    mesh = await start_mesh("relay", "awxfast stock", "awxfast awxfast")
    for node in mesh.nodes:
        await node.stop_dialler()
    for node in mesh.nodes:
        await node.start_dialler("relay", mesh.peers_of(node))
    await mesh.until_linked()
    await mesh.until_heard()
    await mesh.send(EVENTS)
    await mesh.assert_each_once(EVENTS)


@pytest.mark.parametrize("era", ["broadcast", "relay"])
async def test_two_awxfast_ends_on_one_redis_pass_each_event_once(
    era: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text(SECRET)
    nodes = [
        Node(number, "awxfast awxfast", era, tmp_path / "secret", redis_url=redis_server.url) for number in range(2)
    ]
    for node in nodes:
        await node.start_server()
    await nodes[0].start_dialler(era, [nodes[1].address])
    await nodes[1].start_dialler(era, [nodes[0].address])
    pages = [await open_page(node.server.url, GROUPS) for node in nodes]
    await asyncio.to_thread(wait_for, lambda: all(node.dialler.connected() for node in nodes))
    for number in range(EVENTS):
        await nodes[number % 2].send(5, GROUPS[0], number)
    await until(lambda: all(page.has(5, GROUPS[0], EVENTS - 1) for page in pages))
    await nodes[0].send(5, GROUPS[0], EVENTS)  # what would have come twice has come by then
    await until(lambda: all(page.has(5, GROUPS[0], EVENTS) for page in pages))
    for page in pages:
        assert page.numbers(5) == list(range(EVENTS + 1))
        page.assert_in_order_and_whole()
    await close_pages(pages)
    for node in nodes:
        await node.close()
