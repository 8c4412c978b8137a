"""An application in several serving processes, as an operator starts them."""

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from channels_redis.core import RedisChannelLayer
from ledger_watch import BALANCED
from main_process import is_alive
from redis_servers import RedisServer
from reloaded_site import SLOW, Site
from servers import wait_for
from site_browsers import browser, command, receive
from websockets.asyncio.client import unix_connect
from websockets.exceptions import ConnectionClosed

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def site(start_site: Callable[..., Site]) -> Site:
    return start_site("--workers", "2")


async def test_browsers_of_both_have_every_event_and_the_ledger_has_both(
    site: Site, producer: RedisChannelLayer, redis_server: RedisServer
) -> None:
    assert len(site.children()) == 2
    async with contextlib.AsyncExitStack() as stack:
        everybody = [await stack.enter_async_context(browser(site.port)) for _ in range(20)]
        for one in everybody:
            await command(one, "join room")
        for number in range(10):
            await producer.group_send("room", {"type": "chat.message", "text": str(number)})
        for one in everybody:
            assert [await receive(one) for _ in range(10)] == [f"chat {n}" for n in range(10)]
        ledger = site.server.ledger()
        assert [one["worker"] for one in ledger["workers"]] == [0, 1]
        assert {one["pid"] for one in ledger["workers"]} == {*site.children()}
        assert min(one["clients"] for one in ledger["workers"]) > 0
        assert (ledger["clients"], ledger["events"]["in"], ledger["balance"]) == (20, 20, BALANCED)
        text = site.server.ask("/metrics")
        assert all(f'awxfast_process_open_fds{{worker="{number}"}} ' in text for number in range(2))
        assert site.server.metric("awxfast_clients") == 20
    assert site.server.stop() == 0
    assert redis_server.client().keys("*") == []


SLOW_SECOND = """
def begin():
    try:
        (FOLDER / "first").mkdir()
    except FileExistsError:
        while not (FOLDER / "go").exists():
            time.sleep(0.01)
"""


async def test_browsers_that_wait_for_its_start_are_everybodys_however_late_a_worker_is(
    start_site: Callable[..., Site], tmp_path: Path
) -> None:
    """Who listened first had all of them, and for as long as they stayed."""
    (tmp_path / "fault").write_text(SLOW_SECOND)
    path = str(tmp_path / "socket")
    starting = asyncio.ensure_future(asyncio.to_thread(start_site, "--workers", "2", "-u", path))
    await asyncio.to_thread(wait_for, (tmp_path / "diary").exists, SLOW)  # the first one is there
    url = "ws://localhost/commands/"
    opening = [asyncio.ensure_future(unix_connect(path, url, open_timeout=SLOW)) for _ in range(20)]
    served, _ = await asyncio.wait(opening, timeout=0.5)
    (tmp_path / "go").touch()
    everybody = await asyncio.gather(*opening)
    ledger = (await starting).server.ledger()
    for one in everybody:
        await one.close()
    assert not served
    assert min(one["clients"] for one in ledger["workers"]) > 0


async def test_one_that_dies_takes_no_browser_of_the_other_with_it(site: Site, producer: RedisChannelLayer) -> None:
    async with contextlib.AsyncExitStack() as stack:
        everybody = [await stack.enter_async_context(browser(site.port)) for _ in range(10)]
        for one in everybody:
            await command(one, "join room")
        dies = site.server.ledger()["workers"][0]
        os.kill(dies["pid"], signal.SIGKILL)
        await site.until(lambda: not is_alive(dies["pid"]))
        await site.until(lambda: site.server.text().count("Listening on TCP") == 2)
        await producer.group_send("room", {"type": "chat.message", "text": "still"})
        heard = Counter([await hear(one) for one in everybody])
        assert heard == {"chat still": 10 - dies["clients"], "gone": dies["clients"]}
        ledger = site.server.ledger()
        assert (ledger["balance"], ledger["gaps"]["died"]["times"]) == (BALANCED, 1)
        async with browser(site.port) as one:
            await command(one, "join room")


async def hear(one: object) -> str:
    try:
        return await receive(one)  # type: ignore[arg-type]
    except ConnectionClosed:
        return "gone"


@pytest.mark.parametrize("way", ["drain", "replay"])
async def test_reload_goes_through_all_and_counts_nothing_twice(
    start_site: Callable[..., Site], producer: RedisChannelLayer, way: str
) -> None:
    site = start_site("--workers", "2", "--reload-consumers", way)
    async with contextlib.AsyncExitStack() as stack:
        everybody = [await stack.enter_async_context(browser(site.port)) for _ in range(6)]
        for one in everybody:
            await command(one, "join room")
        former = site.children()
        before = site.server.ledger()
        said = await site.must_reload()
        assert said.startswith("reload: generation 1, ")
        assert not {*former} & {one["pid"] for one in site.server.ledger()["workers"]}
        await producer.group_send("room", {"type": "chat.message", "text": "on"})
        assert [await receive(one) for one in everybody] == ["chat on"] * 6
        ledger = site.server.ledger()
        assert (ledger["clients"], ledger["balance"], ledger["generation"]) == (6, BALANCED, 1)
        assert ledger["events"]["in"] == before["events"]["in"] + 2
        assert ledger["frames"]["written"] == before["frames"]["written"] + 6
    await site.until(lambda: len(site.children()) == 2)
    assert await asyncio.to_thread(site.server.stop) == 0
