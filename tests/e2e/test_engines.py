"""Nodes with browsers whose events go by an engine: each event once, in order, to each browser that wants it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from engine_sites import EngineSite
from nats_servers import nats_cluster  # noqa: F401  a fixture
from servers import AwxfastServer

EVENTS = 30


@pytest.fixture(params=["nats_cluster"])
def engine(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param).url
    return url


@pytest.fixture
async def open_site(tmp_path: Path) -> AsyncIterator[Callable[..., EngineSite]]:
    """Sites that end with the test; `start` is the test's to call."""
    opened: list[EngineSite] = []

    def open_one(*engines: str | None, **options: bool | str) -> EngineSite:
        opened.append(EngineSite(tmp_path, *engines, **options))
        return opened[-1]

    yield open_one
    for site in opened:
        await site.close()


async def assert_books_are_balanced(site: EngineSite) -> None:
    for node in site.nodes:
        for part in (node.server, node.dialler):
            ledger = await asyncio.to_thread(part.ledger)
            assert ledger["balance"] == {"events": 0, "frames": 0}
            assert not any(ledger["events"]["rejected"].values())
        assert isinstance(node.server, AwxfastServer)
        assert not (await asyncio.to_thread(node.server.ledger))["gaps"]


class TestEngineAlone:
    async def test_every_event_reaches_every_browser_once_without_any_link(
        self, engine: str, open_site: Callable[..., EngineSite]
    ) -> None:
        site = open_site(engine, engine, engine)
        await site.start()
        await site.send(EVENTS)
        await site.assert_each_once(EVENTS)
        await assert_books_are_balanced(site)

    async def test_events_of_producers_of_the_broadcast_era_do_too(
        self, engine: str, open_site: Callable[..., EngineSite]
    ) -> None:
        site = open_site(engine, engine, era="broadcast")
        await site.start()
        await site.send(EVENTS)
        await site.assert_each_once(EVENTS)
        await assert_books_are_balanced(site)


class TestBesideLinks:
    async def test_links_of_nodes_that_share_the_engine_are_silent(
        self, engine: str, open_site: Callable[..., EngineSite]
    ) -> None:
        site = open_site(engine, engine, engine, links=True)
        await site.start()
        for node in site.nodes:
            await site.until_silent(node, 2)
        await site.send(EVENTS)
        await site.assert_each_once(EVENTS)
        for node in site.nodes:
            ledger = await asyncio.to_thread(node.dialler.ledger)
            assert [peer["sent"] for peer in ledger["peers"]] == [0, 0]
        await assert_books_are_balanced(site)

    async def test_node_without_the_engine_goes_on_by_its_links(
        self, engine: str, open_site: Callable[..., EngineSite]
    ) -> None:
        site = open_site(engine, engine, None, links=True)
        await site.start()
        await site.send(EVENTS)
        await site.assert_each_once(EVENTS)
