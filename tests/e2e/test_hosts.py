"""A layer with several Redis, under load from unmodified producers: what happens to one costs its own groups alone."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from browsers import Browser, close_browsers, open_browser
from channels_redis.core import RedisChannelLayer
from events import event_text
from redis.exceptions import RedisError
from redis_servers import RedisServer, group_on
from servers import AwxfastServer, wait_for

GROUPS = [group_on(host) for host in range(3)]


@pytest.fixture
def relay(three_redis: list[RedisServer]) -> Iterator[AwxfastServer]:
    urls = [server.url for server in three_redis]
    server = AwxfastServer(urls[0], "--redis", urls[1], "--redis", urls[2])
    yield server
    server.close()


@pytest.fixture
async def load(three_redis: list[RedisServer]) -> AsyncIterator["Load"]:
    one = Load(three_redis)
    yield one
    await one.stop()


class Load:
    """A stock producer for each Redis, which goes on whatever is refused to it."""

    def __init__(self, servers: list[RedisServer]) -> None:
        self.sent = [0, 0, 0]
        self.failed = [0, 0, 0]
        self._ends = False
        self._layers = [RedisChannelLayer(hosts=[s.url for s in servers], capacity=10_000) for _ in servers]
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._run(host)) for host in range(3)]

    async def _run(self, host: int) -> None:
        number = -1
        while not self._ends:
            number += 1
            text = event_text(host, number, GROUPS[host])
            try:
                await self._layers[host].group_send(GROUPS[host], {"type": "internal.message", "text": text})
                self.sent[host] += 1
            except (RedisError, OSError):
                self.failed[host] += 1
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        self._ends = True  # redis-py may take a cancellation for a time limit of its own
        await asyncio.gather(*self._tasks)
        for layer in self._layers:
            with contextlib.suppress(RedisError, OSError):
                await layer.close_pools()


async def open_readers(relay: AwxfastServer) -> list[Browser]:
    """One of each group, then one of all."""
    return [await open_browser(relay.url, groups) for groups in (*([group] for group in GROUPS), GROUPS)]


async def until_more(browser: Browser, count: int = 100) -> None:
    wanted = browser.events + count
    await browser.until(lambda: browser.events >= wanted)


async def in_thread(condition: Callable[[], object]) -> None:
    """While producers of this process go on."""
    await asyncio.to_thread(wait_for, condition)


@pytest.mark.timeout(300)
async def test_one_that_is_killed_and_started_again_costs_its_own_groups_alone(
    relay: AwxfastServer, three_redis: list[RedisServer], load: Load
) -> None:
    readers = await open_readers(relay)
    load.start()
    for browser in readers:
        await until_more(browser)
    three_redis[1].kill()
    await in_thread(lambda: relay.ask("/readyz") == f"Redis at {three_redis[1].address} does not answer\n")
    up = dict(re.findall(r'awxfast_redis_up\{redis="([^"]*)"\} ([01])', await asyncio.to_thread(relay.ask, "/metrics")))
    assert up == {str(server.address): "01"[host != 1] for host, server in enumerate(three_redis)}
    for browser in (readers[0], readers[2], readers[3]):
        await until_more(browser, 300)
    late = asyncio.ensure_future(open_browser(relay.url, [GROUPS[1]]))
    three_redis[1].start()
    for browser in [*readers, await late]:
        await until_more(browser)
    await in_thread(lambda: relay.ask("/readyz").strip() == "ok")
    await load.stop()
    for host in (0, 2):
        await readers[host].until(lambda host=host: readers[host].events >= load.sent[host])
        assert (readers[host].events, load.failed[host]) == (load.sent[host], 0)
    assert load.failed[1] > 0
    assert [(one.out_of_order, one.altered, one.closed) for one in readers] == [(0, 0, None)] * 4
    wait_for(lambda: relay.ledger()["frames"]["pending"] == 0)
    assert relay.ledger()["balance"] == {"events": 0, "frames": 0}
    await close_browsers([*readers, late.result()])


@pytest.mark.timeout(300)
async def test_reload_loses_nothing_of_any(relay: AwxfastServer, three_redis: list[RedisServer], load: Load) -> None:
    readers = await open_readers(relay)
    load.start()
    for browser in readers:
        await until_more(browser)
    queues = list_queues(three_redis)
    for _ in range(2):
        done = await asyncio.to_thread(relay.reload)
        assert done.returncode == 0, done.stdout + done.stderr
        for browser in readers:
            await until_more(browser)
    assert list_queues(three_redis) == queues, "the next process has the same names"
    await load.stop()
    for host in range(3):
        await readers[host].until(lambda host=host: readers[host].events >= load.sent[host])
        assert readers[host].events == load.sent[host]
    assert [(one.out_of_order, one.altered, one.closed) for one in readers] == [(0, 0, None)] * 4
    ledger = relay.ledger()
    assert (ledger["gaps"], ledger["balance"]) == ({}, {"events": 0, "frames": 0})
    await close_browsers(readers)


async def test_wipe_of_one_is_repaired_and_costs_no_other(
    relay: AwxfastServer, three_redis: list[RedisServer], load: Load
) -> None:
    readers = await open_readers(relay)
    load.start()
    with three_redis[2].client() as client:
        client.delete(*client.keys("asgi:*"))
    for browser in readers:
        await until_more(browser)
    assert (await asyncio.to_thread(relay.ledger))["gaps"]["wiped"]["times"] >= 1
    await load.stop()
    for host in (0, 1):
        await readers[host].until(lambda host=host: readers[host].events >= load.sent[host])
    await close_browsers(readers)


async def test_names_of_one_that_died_are_removed_from_all_and_a_clean_exit_leaves_none(
    relay: AwxfastServer, three_redis: list[RedisServer]
) -> None:
    browser = await open_browser(relay.url, GROUPS)
    assert all(server.client().keys("asgi:group:job*") for server in three_redis)
    await asyncio.to_thread(relay.kill)
    await browser.gone.wait()
    assert all(server.client().keys("asgi:group:job*") for server in three_redis)
    await asyncio.to_thread(relay.start)
    await in_thread(lambda: not any(server.client().keys("asgi:group:job*") for server in three_redis))
    assert await asyncio.to_thread(relay.stop) == 0
    assert [server.client().keys("*") for server in three_redis] == [[], [], []]


async def test_one_that_is_away_at_the_start_is_waited_for_by_its_groups_alone(
    three_redis: list[RedisServer],
) -> None:
    three_redis[0].kill()
    urls = [server.url for server in three_redis]
    begin = time.monotonic()
    relay = AwxfastServer(urls[0], "--redis", urls[1], "--redis", urls[2])
    try:
        print(f"serves after {time.monotonic() - begin:.1f} s")
        browser = await open_browser(relay.url, GROUPS[1:])
        waiting = asyncio.ensure_future(browser.subscribe(GROUPS))
        layer = RedisChannelLayer(hosts=urls, capacity=10_000)
        await layer.group_send(GROUPS[1], {"type": "internal.message", "text": event_text(0, 0, GROUPS[1])})
        await browser.until(lambda: browser.events == 1)
        assert not waiting.done()
        three_redis[0].start()
        assert sorted((await waiting)["groups_current"]) == sorted(GROUPS)
        await layer.group_send(GROUPS[0], {"type": "internal.message", "text": event_text(0, 0, GROUPS[0])})
        await browser.until(lambda: browser.events == 2)
        await layer.close_pools()
        await close_browsers([browser])
    finally:
        await asyncio.to_thread(relay.close)


def list_queues(servers: list[RedisServer]) -> list[list[bytes]]:
    """Whose processes have names, on each."""
    return [sorted(server.client().keys("awxfast:groups:*")) for server in servers]
