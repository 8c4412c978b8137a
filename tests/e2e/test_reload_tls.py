"""Browsers behind awxfast's own TLS are handed over, too: the old process only carries their bytes until they go."""

import asyncio
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest
from browsers import Browser, close_browsers, open_browser
from certificates import SelfSigned
from events import GROUPS, group_of
from main_process import is_alive
from producers import Producer
from redis_servers import RedisServer
from reloading import Faults, reload
from servers import HANG, AwxfastServer, list_children, wait_for

SLOW = 4 * HANG
COUNT = 800
EXPECTED = sum(group_of(number) == GROUPS[0] for number in range(COUNT))


class TlsRelay:
    """Awxfast with a plain endpoint and one behind TLS."""

    def __init__(self, start: Callable[..., AwxfastServer], folder: Path, *options: str) -> None:
        files = SelfSigned(folder)
        self.trust = files.trust()
        where = f"ssl:0:privateKey={files.private_key}:certKey={files.certificate}:interface=127.0.0.1"
        self.server = start("-e", where, *options)
        self.tls, self.plain = wait_for(lambda: found if len(found := self.list_ports()) == 2 else None, SLOW)

    def list_ports(self) -> list[int]:
        """As the log has them: endpoints in the order of their descriptions, `ssl` before `tcp`."""
        return [int(port) for port in re.findall(r"Listening on TCP address \S+:(\d+)", self.server.text())]

    async def open_browser(self, groups: tuple[str, ...]) -> Browser:
        return await open_browser(f"wss://localhost:{self.tls}/websocket/", groups, self.trust)

    def children(self) -> list[int]:
        return [number for number in list_children(self.server.process.pid) if is_alive(number)]

    async def until(self, condition: Callable[[], object]) -> None:
        await asyncio.to_thread(wait_for, condition, SLOW)


@pytest.fixture
def start_tls(start_relay: Callable[..., AwxfastServer], tmp_path: Path) -> Callable[..., TlsRelay]:
    return lambda *options: TlsRelay(start_relay, tmp_path, *options)


@pytest.mark.timeout(600)
class TestNative:
    async def test_every_browser_gets_every_event_in_order_through_reloads(
        self,
        start_tls: Callable[..., TlsRelay],
        new_producer: Callable[..., Producer],
        redis_server: RedisServer,
    ) -> None:
        relay = start_tls()
        plain = [await open_browser(f"ws://127.0.0.1:{relay.plain}/websocket/", GROUPS[:1]) for _ in range(3)]
        behind_tls = [await relay.open_browser(GROUPS[:1]) for _ in range(5)]
        producer = new_producer(0, COUNT, "--rate", "200")
        producer.start()
        for generation in (1, 2):
            done = await reload(relay.server)
            assert done.returncode == 0, done.stderr + relay.server.text()
            assert done.stdout.startswith(f"reload: generation {generation}, 8 sockets kept, 0 drained, ")
        await relay.until(lambda: len(relay.children()) == 2)  # the first carries on, the second carried nothing
        late = await relay.open_browser(GROUPS[:1])
        await close_browsers([late])
        await asyncio.to_thread(producer.wait)
        for browser in (*plain, *behind_tls):
            await browser.until(lambda browser=browser: browser.events >= EXPECTED)
            assert (browser.events, browser.out_of_order, browser.altered) == (EXPECTED, 0, 0)
            assert not browser.gone.is_set()
        ledger = relay.server.ledger()
        assert (ledger["gaps"], ledger["clients"], ledger["generation"]) == ({}, 8, 2)
        assert ledger["balance"] == {"events": 0, "frames": 0}
        await behind_tls[0].subscribe(GROUPS[:2])
        await close_browsers(behind_tls)
        await relay.until(lambda: len(relay.children()) == 1)
        await close_browsers(plain)
        assert relay.server.stop() == 0
        assert redis_server.client().keys("*") == []

    async def test_who_is_left_when_time_is_up_is_told_to_come_back(self, start_tls: Callable[..., TlsRelay]) -> None:
        relay = start_tls("--reload-drain", "1")
        browser = await relay.open_browser(GROUPS[:1])
        plain = await open_browser(f"ws://127.0.0.1:{relay.plain}/websocket/", GROUPS[:1])
        assert (await reload(relay.server)).returncode == 0
        await browser.until(browser.gone.is_set)
        assert browser.closed == 1012
        await relay.until(lambda: len(relay.children()) == 1)
        again = await relay.open_browser(GROUPS[:1])
        assert not plain.gone.is_set()
        await close_browsers([plain, again])

    async def test_the_end_that_is_asked_for_reaches_those_whose_bytes_are_carried(
        self, start_tls: Callable[..., TlsRelay]
    ) -> None:
        relay = start_tls()
        browser = await relay.open_browser(GROUPS[:1])
        assert (await reload(relay.server)).returncode == 0
        stopping = asyncio.create_task(asyncio.to_thread(relay.server.stop))
        await browser.until(browser.gone.is_set)
        assert browser.closed == 1001
        assert await stopping == 0

    @pytest.mark.long
    async def test_connection_that_is_kept_alive_behind_tls_is_answered_once_more(
        self, start_tls: Callable[..., TlsRelay]
    ) -> None:
        relay = start_tls()
        connector = aiohttp.TCPConnector(ssl=relay.trust)
        async with aiohttp.ClientSession(f"https://localhost:{relay.tls}", connector=connector) as session:
            for _ in range(2):
                async with session.get("/nowhere") as response:
                    assert response.status == 404
                assert (await reload(relay.server)).returncode == 0

    @pytest.mark.long
    async def test_those_whose_new_process_dies_lose_their_connection(self, start_tls: Callable[..., TlsRelay]) -> None:
        relay = start_tls()
        browser = await relay.open_browser(GROUPS[:1])
        old = relay.server.child_pid()
        assert (await reload(relay.server)).returncode == 0
        (new,) = [child for child in relay.children() if child != old]
        os.kill(new, signal.SIGKILL)
        await browser.until(browser.gone.is_set)
        await relay.until(lambda: not is_alive(old))
        again = await relay.open_browser(GROUPS[:1])
        await close_browsers([again])

    @pytest.mark.parametrize(
        ("code", "said"),
        [
            pytest.param(
                "raise SystemExit('broken')",
                "the old process goes on: the new process ended",
                marks=pytest.mark.long,
            ),
            (
                "import awxfast.app.native_relay as r\n"
                "r.NativeRelay.accept = lambda self, all: os.kill(os.getpid(), 9)",
                "the old process goes on: the new process ended in the middle of it",
            ),
        ],
        ids=["crashes_at_import", "killed_when_it_has_all"],
    )
    async def test_old_process_goes_on_where_the_new_one(
        self,
        faults: Faults,
        start_tls: Callable[..., TlsRelay],
        new_producer: Callable[..., Producer],
        code: str,
        said: str,
    ) -> None:
        relay = start_tls("--reload-drain", "1")
        browser = await relay.open_browser(GROUPS[:1])
        producer = new_producer(0, COUNT, "--rate", "200")
        faults.set(code)
        producer.start()
        failed = await reload(relay.server)
        assert (failed.returncode, failed.stdout) == (1, "")
        assert said in failed.stderr
        await asyncio.to_thread(producer.wait)
        await browser.until(lambda: browser.events >= EXPECTED)
        again = await relay.open_browser(GROUPS[:1])
        await close_browsers([browser, again])

    async def test_process_that_has_left_all_ends_where_the_new_one_dies_with_it(
        self, faults: Faults, start_tls: Callable[..., TlsRelay]
    ) -> None:
        relay = start_tls()
        browser = await relay.open_browser(GROUPS[:1])
        faults.set("import awxfast.app.native_relay as r\nr.NativeRelay.take_over = lambda *_: os.kill(os.getpid(), 9)")
        failed = await reload(relay.server)
        assert failed.returncode == 1
        assert "another process starts: the new process ended (exit code -9)" in failed.stderr
        faults.clear()
        await browser.until(browser.gone.is_set)
        await relay.until(lambda: len(relay.children()) == 1 and len(relay.list_ports()) >= 3)
        again = await relay.open_browser(GROUPS[:1])
        await close_browsers([again])
