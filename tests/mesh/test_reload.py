"""Links of other nodes go on in the new process: their ends notice nothing, and no event is lost or comes twice."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from awxfast_dialler import AwxfastDialler
from load import Load, assert_all_came, assert_nothing_is_lost
from meshes import Mesh
from servers import AwxfastServer, wait_for

StartMesh = Callable[..., Awaitable[Mesh]]
RATE = 200.0


def have_counted_the_same(server: AwxfastServer, dialler: AwxfastDialler) -> bool:
    """Both ends of a link: what one has sent the other has received."""
    (near,), (far,) = server.ledger()["peers"], dialler.ledger()["peers"]
    return bool((near["received"], near["sent"]) == (far["sent"], far["received"]))


async def assert_books_are_whole(mesh: Mesh) -> None:
    """Nothing was lost anywhere, and no link was dialled a second time."""
    for node, other in (mesh.nodes, mesh.nodes[::-1]):
        assert isinstance(node.server, AwxfastServer)
        assert isinstance(other.dialler, AwxfastDialler)
        await asyncio.to_thread(wait_for, partial(have_counted_the_same, node.server, other.dialler))
        server, dialler = await asyncio.to_thread(node.server.ledger), await asyncio.to_thread(other.dialler.ledger)
        for ledger in (server, dialler):
            assert_nothing_is_lost(ledger)
        (peer,) = server["peers"]
        assert peer["state"] == "connected"
        assert other.dialler.text().count("connected to") == 1


@pytest.mark.parametrize("era", [pytest.param("broadcast", marks=pytest.mark.long), "relay"])
@pytest.mark.parametrize("rounds", [1, pytest.param(5, marks=[pytest.mark.long, pytest.mark.timeout(600)])])
async def test_every_event_comes_once_through_reloads_of_both_servers(
    era: str, rounds: int, start_mesh: StartMesh
) -> None:
    mesh = await start_mesh(era, *["awxfast awxfast"] * 2)
    async with Load(mesh.nodes, RATE) as load:
        for _ in range(rounds):
            for node in mesh.nodes:
                await node.reload_server()
                await load.go_on()
        await assert_all_came(mesh, load)
    await assert_books_are_whole(mesh)
    for node in mesh.nodes:
        assert (await asyncio.to_thread(node.server.ledger))["generation"] == rounds
