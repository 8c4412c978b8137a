"""Ends of a link that die, freeze or lose each other under load: losses are in the books, nothing comes twice."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from awxfast_dialler import AwxfastDialler
from events import GROUPS
from load import Load
from nodes import SECRET, Node
from pages import close_pages, open_page
from probes import Probes
from servers import AwxfastServer, wait_for
from stalling_proxy import StallingProxy

RATE = 100.0
BACKOFF_LONGEST = 10.0
PINGS_NOTICE = 40.0
"""Seconds: a ping after 20 of silence, and as many for its answer."""


class Line:
    """Events go from the first node to a page on the second, through a proxy and a link of either era."""

    def __init__(self, era: str, folder: Path) -> None:
        self.era = era
        (folder / "secret").write_text(SECRET)
        self.first, self.second = (Node(number, "awxfast awxfast", era, folder / "secret") for number in range(2))
        self.probes = Probes(self.first)
        self.dialling, self.dialled = (self.first, self.second) if era == "relay" else (self.second, self.first)

    async def start(self) -> None:
        await self.second.start_server()
        if self.era == "broadcast":
            await self.first.start_server()
        self.proxy = StallingProxy(self.server.port)
        await self.proxy.start()
        self.page = await open_page(self.second.server.url, GROUPS)
        await self.dialling.start_dialler(self.era, [self.proxy.address])
        await self.until_heard()

    @property
    def server(self) -> AwxfastServer:
        """The one that is dialled."""
        assert isinstance(self.dialled.server, AwxfastServer)
        return self.dialled.server

    @property
    def dialler(self) -> AwxfastDialler:
        assert isinstance(self.dialling.dialler, AwxfastDialler)
        return self.dialling.dialler

    async def until_heard(self, seconds: float = 60) -> None:
        await self.probes.until_heard(self.page, seconds)

    def lost(self, load: Load) -> list[int]:
        got = set(self.page.numbers(0))
        return [number for number in load.made[0] if number not in got]

    async def settle(self, load: Load) -> None:
        """The load is over and what is under way has come: probes follow it on the same way."""
        await load.stop()
        await self.until_heard()
        self.page.assert_in_order_and_whole()

    async def ledgers(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Of the end that sends events into the link, and of the one that takes them."""
        ends = await asyncio.to_thread(self.dialler.ledger), await asyncio.to_thread(self.server.ledger)
        return ends if self.era == "relay" else ends[::-1]

    async def close(self) -> None:
        await close_pages([self.page])
        await self.proxy.stop()
        for node in (self.first, self.second):
            await node.close()


StartLine = Callable[[str], Awaitable[Line]]


@pytest.fixture
async def start_line(tmp_path: Path) -> AsyncIterator[StartLine]:
    lines: list[Line] = []

    async def start(era: str) -> Line:
        lines.append(Line(era, tmp_path))
        await lines[-1].start()
        return lines[-1]

    yield start
    for line in lines:
        await line.close()


def assert_books_explain(lost: int, sending: dict[str, Any], taking: dict[str, Any]) -> None:
    """What is missing was dropped by the sending end, or is the difference of both ends' counters: lost in between."""
    for ledger in (sending, taking):
        assert ledger["balance"] == {"events": 0, "frames": 0}
    frames = sending["frames"]
    dropped = sum(frames["shed"].values()) + frames["lost_at_close"]
    between = sending["peers"][0]["sent"] - taking["peers"][0]["received"]
    assert between >= 0
    assert lost <= dropped + between


@pytest.mark.parametrize("era", ["relay", "broadcast"])
class TestLinks:
    async def test_silence_of_the_network_that_ends_costs_nothing(self, era: str, start_line: StartLine) -> None:
        line = await start_line(era)
        async with Load([line.first], RATE) as load:
            await load.go_on()
            line.proxy.freeze()
            await load.go_on(100)
            line.proxy.thaw()
            await line.settle(load)
        assert line.lost(load) == []
        assert line.proxy.accepted == 1

    async def test_link_that_is_cut_comes_back_and_what_was_lost_is_in_the_books(
        self, era: str, start_line: StartLine
    ) -> None:
        line = await start_line(era)
        async with Load([line.first], RATE) as load:
            for _ in range(3):
                await load.go_on()
                line.proxy.cut()
                await line.until_heard(seconds=2 * BACKOFF_LONGEST)
            await line.settle(load)
        assert line.proxy.accepted >= 4
        if era == "relay":
            assert_books_explain(len(line.lost(load)), *await line.ledgers())

    async def test_frozen_dialler_goes_on_where_it_was(self, era: str, start_line: StartLine) -> None:
        line = await start_line(era)
        async with Load([line.first], RATE) as load:
            await load.go_on()
            line.dialler.signal(signal.SIGSTOP)
            await load.go_on(100)
            line.dialler.signal(signal.SIGCONT)
            await line.settle(load)
        assert line.lost(load) == []

    async def test_frozen_server_goes_on_where_it_was(self, era: str, start_line: StartLine) -> None:
        line = await start_line(era)
        async with Load([line.first], RATE) as load:
            await load.go_on()
            os.kill(line.server.child_pid(), signal.SIGSTOP)
            await load.go_on(100)
            os.kill(line.server.child_pid(), signal.SIGCONT)
            await line.settle(load)
        assert line.lost(load) == []

    async def test_killed_dialler_leaves_its_work_to_the_next(self, era: str, start_line: StartLine) -> None:
        line = await start_line(era)
        async with Load([line.first], RATE) as load:
            await load.go_on()
            await asyncio.to_thread(line.dialler.kill)
            await load.go_on()
            await asyncio.to_thread(line.dialler.start)
            await line.until_heard()
            whole = load.next[0]
            await load.go_on(50)
            await line.settle(load)
        assert [number for number in line.lost(load) if number >= whole] == []

    async def test_killed_server_is_found_again(self, era: str, start_line: StartLine) -> None:
        line = await start_line(era)
        async with Load([line.first], RATE) as load:
            await load.go_on()
            await asyncio.to_thread(line.server.kill)
            await load.go_on()
            await asyncio.to_thread(line.server.start)
            if era == "relay":  # it is the page's own
                line.page = await open_page(line.server.url, GROUPS)
            await line.until_heard(seconds=2 * BACKOFF_LONGEST)
            whole = load.next[0]
            await load.go_on(50)
            await line.settle(load)
        assert [number for number in line.lost(load) if number >= whole] == []

    @pytest.mark.long
    @pytest.mark.timeout(240)
    async def test_partition_without_a_word_is_noticed_by_both_ends(self, era: str, start_line: StartLine) -> None:
        line = await start_line(era)
        async with Load([line.first], RATE) as load:
            line.proxy.freeze()
            await asyncio.to_thread(wait_for, lambda: not line.dialler.connected(), 2 * PINGS_NOTICE)
            await asyncio.to_thread(
                wait_for, lambda: line.server.ledger()["peers"][0]["state"] != "connected", 2 * PINGS_NOTICE
            )
            line.proxy.cut()
            line.proxy.thaw()
            await line.until_heard(seconds=2 * BACKOFF_LONGEST)
            await line.settle(load)
        if era == "relay":
            assert_books_explain(len(line.lost(load)), *await line.ledgers())


@pytest.mark.parametrize("era", ["relay", "broadcast"])
class TestRedis:
    async def test_where_events_are_made(self, era: str, start_line: StartLine) -> None:
        line = await start_line(era)
        async with Load([line.first], RATE) as load:
            await load.go_on()
            await restart_redis(line.first)
            await line.until_heard()
            whole = load.next[0]
            await load.go_on(50)
            await line.settle(load)
        assert [number for number in line.lost(load) if number >= whole] == []

    async def test_where_events_go(self, era: str, start_line: StartLine) -> None:
        line = await start_line(era)
        async with Load([line.first], RATE) as load:
            await load.go_on()
            await restart_redis(line.second)
            await line.until_heard()
            whole = load.next[0]
            await load.go_on(50)
            await line.settle(load)
        if era == "relay":
            assert line.lost(load) == [], "a relay link's events reach this process's sockets without Redis"
        assert [number for number in line.lost(load) if number >= whole] == []


async def restart_redis(node: Node) -> None:
    """It comes back empty."""
    assert node.redis is not None
    await asyncio.to_thread(node.redis.kill)
    await asyncio.sleep(0.3)
    await asyncio.to_thread(node.redis.start)


async def test_wiped_registrations_of_a_dialler_are_repaired(start_line: StartLine) -> None:
    """AWX's application deletes every `asgi:*` key when it is built; the dialler's are among them."""
    line = await start_line("relay")
    assert line.first.redis is not None
    async with Load([line.first], RATE) as load:
        await load.go_on()
        with line.first.redis.client() as client:
            client.delete(*client.keys("asgi:*"))
        await line.until_heard()
        whole = load.next[0]
        await load.go_on(50)
        await line.settle(load)
    assert [number for number in line.lost(load) if number >= whole] == []
    assert (await line.ledgers())[0]["gaps"]["wiped"]["times"] >= 1
