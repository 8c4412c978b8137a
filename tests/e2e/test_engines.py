"""Nodes with browsers whose events go by an engine: each event once, in order, to each browser that wants it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from awxfast_dialler import AwxfastDialler
from engine_meshes import EngineMesh, ask_dialler
from events import GROUPS
from load import Load, assert_all_came, assert_nothing_is_lost
from pages import close_pages, open_page

EVENTS = 30
RATE = 100.0
StartMesh = Callable[..., Awaitable[EngineMesh]]


@pytest.fixture
async def start_mesh(tmp_path: Path, engine: str) -> AsyncIterator[StartMesh]:
    started: list[EngineMesh] = []

    async def start(count: int = 3, **options: object) -> EngineMesh:
        started.append(EngineMesh(tmp_path, engine, count, **options))  # type: ignore[arg-type]
        await started[-1].start()
        return started[-1]

    yield start
    for mesh in started:
        await mesh.close()


async def reload_diallers(mesh: EngineMesh) -> None:
    """One after the other, while events come; all of them come once."""
    async with Load(mesh.nodes, RATE) as load:
        for node in mesh.nodes:
            assert isinstance(node.dialler, AwxfastDialler)
            done = await asyncio.to_thread(node.dialler.reload)
            assert done.returncode == 0, done.stderr + node.dialler.text()
            await load.go_on()
        await assert_all_came(mesh, load)


async def assert_books_are_whole(mesh: EngineMesh) -> None:
    """What a server had for a link that its dialler gave up at once, not having heard of it yet, is no event."""
    for ledger in await mesh.ledgers():
        assert (ledger["balance"], ledger["gaps"]) == ({"events": 0, "frames": 0}, {})
        assert not any(ledger["events"]["rejected"].values())
    for node in mesh.nodes:
        ledger = await ask_dialler(node)
        assert_nothing_is_lost(ledger)
        assert not any({**ledger["events"]["rejected"], **ledger.get("engine", {}).get("lost", {})}.values())


class TestEngineAlone:
    @pytest.mark.parametrize("era", ["relay", "broadcast"])
    async def test_every_event_reaches_every_browser_once(self, start_mesh: StartMesh, era: str) -> None:
        mesh = await start_mesh(era=era)
        await mesh.send(EVENTS)
        await mesh.assert_each_once(EVENTS)
        await mesh.assert_metrics_are_stored()
        await assert_books_are_whole(mesh)
        for ledger in await mesh.ledgers():
            assert ledger["engine"]["events"]["taken"] >= 2 * EVENTS

    async def test_what_nobody_elsewhere_wants_is_not_published(self, start_mesh: StartMesh) -> None:
        mesh = await start_mesh(2)
        async with Load(mesh.nodes, RATE, unwatched=3) as load:
            await load.go_on()
            await assert_all_came(mesh, load)
        for node in mesh.nodes:
            ledger = await ask_dialler(node)
            assert (ledger["groups"], ledger["engine"]["wanted"]) == (len(GROUPS) + 2, len(GROUPS) + 2)
            assert ledger["events"]["routed"] == ledger["engine"]["events"]["sent"]

    async def test_every_event_comes_once_through_reloads_of_diallers(self, start_mesh: StartMesh) -> None:
        mesh = await start_mesh(2)
        await reload_diallers(mesh)
        await assert_books_are_whole(mesh)
        for ledger in await mesh.ledgers():
            assert ledger["engine"]["events"].get("double", 0) == 0


class TestBesideLinks:
    async def test_links_of_nodes_that_share_the_engine_are_silent(self, start_mesh: StartMesh) -> None:
        mesh = await start_mesh(linked=True)
        for node in mesh.nodes:
            await mesh.until_silent(node, 2)
        await mesh.send(EVENTS)
        await mesh.assert_each_once(EVENTS)
        for node in mesh.nodes:
            assert [peer["sent"] for peer in (await ask_dialler(node))["peers"]] == [0, 0]
        await assert_books_are_whole(mesh)

    @pytest.mark.parametrize("era", ["relay", "broadcast"])
    async def test_node_without_the_engine_goes_on_by_its_links(self, start_mesh: StartMesh, era: str) -> None:
        mesh = await start_mesh(linked=True, without=1, era=era)
        await mesh.send(EVENTS)
        await mesh.assert_each_once(EVENTS)
        await assert_books_are_whole(mesh)

    @pytest.mark.long
    async def test_every_event_comes_once_through_reloads_of_diallers(self, start_mesh: StartMesh) -> None:
        mesh = await start_mesh(2, linked=True)
        await reload_diallers(mesh)
        for node in mesh.nodes:
            await mesh.until_silent(node, 1)
        await assert_books_are_whole(mesh)


class TestMove:
    async def test_site_is_moved_dialler_after_dialler(self, start_mesh: StartMesh) -> None:
        mesh = await start_mesh(linked=True, without=3)
        await mesh.send(EVENTS)
        sent = EVENTS
        for node in mesh.nodes:
            port = node.server_port
            await node.stop_server()
            node.server_options = ("--engine", mesh.engine)
            await node.start_server(port)
        await close_pages(mesh.pages)
        mesh.pages = [await open_page(node.server.url, GROUPS) for node in mesh.nodes]
        await mesh.until_linked()
        for moved, node in enumerate(mesh.nodes):
            await node.stop_dialler()
            mesh.engine_words[node.number] = ("--engine", mesh.engine)
            await mesh.start_dialler(node)
            await mesh.until_linked()
            await mesh.until_silent(node, 2)
            await mesh.until_heard()
            await mesh.send(EVENTS, first=sent)
            sent += EVENTS
            assert moved < len(mesh.nodes)
        await mesh.until_heard()
        for page in mesh.pages:
            for node in mesh.nodes:
                assert page.numbers(node.number) == list(range(EVENTS, sent))
            page.assert_in_order_and_whole()

    async def test_server_that_comes_back_in_the_engine_is_served_by_it(self, start_mesh: StartMesh) -> None:
        mesh = await start_mesh(2, linked=True)
        returning, other = mesh.nodes
        await mesh.until_silent(other, 1)
        port = returning.server_port
        await returning.stop_server()
        await returning.start_server(port)
        await close_pages(mesh.pages[:1])
        mesh.pages[0] = await open_page(returning.server.url, GROUPS)
        await mesh.until_linked()
        await mesh.until_heard()
        await mesh.send(EVENTS)
        await mesh.assert_each_once(EVENTS)
        await mesh.until_silent(other, 1)
