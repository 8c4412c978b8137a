"""A hosted application's consumers get events from an engine: of several workers, and through reloads."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engine_publisher import EnginePublisher
from nats_servers import NatsServer
from reloaded_site import Site
from site_browsers import browser, command, receive

EVENTS = 50


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[str]:
    server = NatsServer(tmp_path, "nats")
    server.start()
    yield f"nats://{server.place}"
    server.kill()


async def test_each_worker_takes_for_its_own_consumers(start_site: Callable[..., Site], engine: str) -> None:
    site = start_site("--workers", "2", "--engine", engine)
    async with EnginePublisher(engine) as publisher, contextlib.AsyncExitStack() as stack:
        browsers = [await stack.enter_async_context(browser(site.port)) for _ in range(6)]
        for connection in browsers:
            await command(connection, "join room")
        await publisher.until_wanted("room", takers=2)
        for number in range(EVENTS):
            publisher.send("room", str(number))
        for connection in browsers:
            assert [await receive(connection) for _ in range(EVENTS)] == [f"handled {n}" for n in range(EVENTS)]
        ledger = await asyncio.to_thread(site.server.ledger)
        assert (ledger["gaps"], ledger["engine"]["events"]) == ({}, {"taken": 2 * EVENTS})


class Stream:
    """Events one behind the other, a hundred a second."""

    def __init__(self, publisher: EnginePublisher) -> None:
        self.publisher = publisher
        self.sent = 0
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            self.publisher.send("room", str(self.sent))
            self.sent += 1
            await asyncio.sleep(0.01)

    async def stop(self) -> list[str]:
        """What a browser must have got."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        return [f"handled {number}" for number in range(self.sent)]


async def test_consumers_that_begin_anew_miss_nothing(start_site: Callable[..., Site], engine: str) -> None:
    site = start_site("--reload-consumers", "replay", "--engine", engine)
    async with EnginePublisher(engine) as publisher, browser(site.port) as connection:
        await command(connection, "join room")
        await publisher.until_wanted("room")
        stream = Stream(publisher)
        for _ in range(2):
            await site.must_reload()
        expected = await stream.stop()
        assert [await receive(connection) for _ in expected] == expected
        ledger = await asyncio.to_thread(site.server.ledger)
        assert (ledger["gaps"], ledger["engine"]["events"]) == ({}, {"taken": len(expected)})


async def test_who_stays_with_the_old_process_gets_all_from_it(start_site: Callable[..., Site], engine: str) -> None:
    site = start_site("--engine", engine)
    async with EnginePublisher(engine) as publisher, browser(site.port) as old:
        await command(old, "join room")
        await publisher.until_wanted("room")
        stream = Stream(publisher)
        await site.must_reload()
        async with browser(site.port) as new:
            await command(new, "join room")
            await publisher.until_wanted("room", takers=2)
            publisher.send("room", "for both")
            expected = await stream.stop()
            got = [await receive(old) for _ in range(len(expected) + 1)]
            assert [text for text in got if text != "handled for both"] == expected
            async with asyncio.timeout(20):
                while await receive(new) != "handled for both":
                    pass
        assert (await asyncio.to_thread(site.server.ledger))["gaps"] == {}
