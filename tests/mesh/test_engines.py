"""Three nodes with a Redis, a server and a dialler each, and an engine between them: each event once, or counted."""

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from awxfast.engine.cluster_map import find_slot
from awxfast.engine.open_carrier import open_carrier
from awxfast_dialler import AwxfastDialler
from engine_meshes import EngineMesh, ask_dialler
from events import GROUPS
from load import Load, assert_all_came, assert_nothing_is_lost
from nats_servers import NatsServer
from pages import close_pages, open_page
from redis_cluster import ClusterNode, RedisCluster

RATE = 100.0
PREFIXES = itertools.count(1)
StartMesh = Callable[..., Awaitable[EngineMesh]]


@pytest.fixture
def nats(start_nats: Callable[..., NatsServer]) -> NatsServer:
    return start_nats()


@pytest.fixture(params=["nats", "cluster"])
def engine(request: pytest.FixtureRequest) -> str:
    """Of this test alone."""
    one: NatsServer | RedisCluster = request.getfixturevalue(request.param)
    url = f"nats://{one.place}" if isinstance(one, NatsServer) else one.url
    return f"{url}?prefix=test-{next(PREFIXES)}"


@pytest.fixture
async def start_mesh(tmp_path: Path, engine: str) -> AsyncIterator[StartMesh]:
    """`await start_mesh(linked=True)`: another mesh, which ends with the test."""
    started: list[EngineMesh] = []

    async def start(*, linked: bool = False, count: int = 3) -> EngineMesh:
        started.append(EngineMesh(tmp_path, engine, count, linked=linked))
        await started[-1].start()
        return started[-1]

    yield start
    for mesh in started:
        await mesh.close()


@pytest.mark.parametrize("linked", [pytest.param(False, marks=pytest.mark.long), True], ids=["alone", "with links"])
@pytest.mark.parametrize("rounds", [1, pytest.param(5, marks=[pytest.mark.long, pytest.mark.timeout(600)])])
async def test_every_event_comes_once_through_reloads_of_servers(
    start_mesh: StartMesh, rounds: int, linked: bool
) -> None:
    mesh = await start_mesh(linked=linked, count=2)
    async with Load(mesh.nodes, RATE) as load:
        for _ in range(rounds):
            for node in mesh.nodes:
                await node.reload_server()
                await load.go_on()
        await assert_all_came(mesh, load)
    for ledger in await mesh.ledgers():
        assert_nothing_is_lost(ledger)
        assert (ledger["generation"], ledger["engine"]["events"].get("double", 0)) == (rounds, 0)


async def assert_losses_are_counted(mesh: EngineMesh, load: Load) -> None:
    """What a page has not got of other nodes' events, its server and their diallers know of."""
    await load.stop()
    await mesh.until_heard()
    ledgers = await mesh.ledgers()
    unsent = [await asyncio.to_thread(node.dialler.ledger) for node in mesh.nodes]
    lost_there = sum(sum(ledger["engine"]["lost"].values()) for ledger in unsent)
    lost_there += sum(gap["at_most"] for ledger in unsent for gap in ledger["gaps"].values())
    for page, ledger in zip(mesh.pages, ledgers, strict=True):
        page.assert_in_order_and_whole()
        missed = sum(len(made) - len(page.numbers(number)) for number, made in load.made.items())
        bound = sum(gap["at_most"] for gap in ledger["gaps"].values()) + lost_there
        assert 0 <= missed <= bound, (ledger["gaps"], ledger["engine"])
        assert ledger["balance"] == {"events": 0, "frames": 0}


@pytest.mark.parametrize("engine", ["nats"], indirect=True)
async def test_what_is_lost_while_the_engine_is_away_is_counted(start_mesh: StartMesh, nats: NatsServer) -> None:
    mesh = await start_mesh()
    async with Load(mesh.nodes, RATE) as load:
        await load.go_on()
        await asyncio.to_thread(nats.kill)
        await load.go_on(100)
        await asyncio.to_thread(nats.start)
        await mesh.until_heard()
        await load.go_on()
        await assert_losses_are_counted(mesh, load)


async def be_away(mesh: EngineMesh, load: Load, servers: Sequence[NatsServer | ClusterNode]) -> dict[int, int]:
    """All servers of the engine for a hundred events; the last ones before all diallers knew."""
    await load.go_on()
    for server in servers:
        await asyncio.to_thread(server.kill)
    await mesh.until_engine_is(up=False)
    last = {number: made[-1] for number, made in load.made.items()}
    await load.go_on(100)
    for server in servers:
        await asyncio.to_thread(server.start)
    await mesh.until_heard()
    return last


@pytest.mark.parametrize("engine", ["nats"], indirect=True)
async def test_what_waits_while_the_engine_is_away_reaches_every_browser(
    start_mesh: StartMesh, nats: NatsServer
) -> None:
    mesh = await start_mesh()
    async with Load(mesh.nodes, RATE) as load:
        last = await be_away(mesh, load, [nats])
        await assert_losses_are_counted(mesh, load)
    for page in mesh.pages:
        for number, made in load.made.items():
            assert {event for event in made if event > last[number]} <= {*page.numbers(number)}


@pytest.mark.parametrize("engine", ["own_cluster"], indirect=True)
async def test_what_is_lost_with_a_whole_cluster_is_counted(start_mesh: StartMesh, own_cluster: RedisCluster) -> None:
    mesh = await start_mesh()
    async with Load(mesh.nodes, RATE) as load:
        await be_away(mesh, load, own_cluster.nodes)
        await assert_losses_are_counted(mesh, load)


@pytest.mark.parametrize("engine", ["own_cluster"], indirect=True)
async def test_what_is_lost_with_a_master_is_counted(
    start_mesh: StartMesh, own_cluster: RedisCluster, engine: str
) -> None:
    mesh = await start_mesh()
    async with Load(mesh.nodes, RATE) as load:
        await load.go_on()
        names = open_carrier(engine).names
        await asyncio.to_thread(own_cluster.owner(find_slot(names.of(GROUPS[0]).encode())).kill)
        await load.go_on(100)
        await mesh.until_heard()
        await load.go_on()
        await assert_losses_are_counted(mesh, load)


@pytest.mark.parametrize("engine", ["nats"], indirect=True)
async def test_what_dies_with_a_dialler_is_counted(start_mesh: StartMesh) -> None:
    mesh = await start_mesh()
    dialler = mesh.nodes[0].dialler
    assert isinstance(dialler, AwxfastDialler)
    async with Load(mesh.nodes, RATE) as load:
        await load.go_on()
        os.kill(dialler.child_pid(), signal.SIGKILL)
        await load.go_on(500)
        await assert_losses_are_counted(mesh, load)
    assert (await ask_dialler(mesh.nodes[0]))["gaps"]["died"]["times"] == 1


async def test_server_that_dies_costs_nobody_else_anything(start_mesh: StartMesh) -> None:
    mesh = await start_mesh()
    dying, *others = mesh.nodes
    async with Load(mesh.nodes, RATE) as load:
        await load.go_on()
        port = dying.server_port
        await asyncio.to_thread(dying.server.kill)
        await load.go_on(100)
        await dying.stop_server()
        await dying.start_server(port)
        first, *rest = mesh.pages
        await close_pages([first])
        mesh.pages = rest
        await load.stop()
        await mesh.until_heard()
        for page in rest:
            assert {number: page.numbers(number) for number in load.made} == load.made
            page.assert_in_order_and_whole()
    assert len(others) == 2
    mesh.pages.append(await open_page(dying.server.url, GROUPS))
    await mesh.until_heard()


async def test_links_fall_silent_when_the_engine_comes_late_and_no_event_goes_both_ways(
    tmp_path: Path, nats: NatsServer
) -> None:
    await asyncio.to_thread(nats.kill)
    mesh = EngineMesh(tmp_path, f"nats://{nats.place}", 2, linked=True)
    try:
        await mesh.start()
        async with Load(mesh.nodes, RATE) as load:
            await asyncio.to_thread(nats.start)
            for node in mesh.nodes:
                await mesh.until_silent(node, 1)
            await load.go_on()
            await assert_all_came(mesh, load)
        for ledger in await mesh.ledgers():
            assert (ledger["engine"]["events"].get("double", 0), ledger["gaps"]) == (0, {})
    finally:
        await mesh.close()
