"""Links to a node whose layer has several Redis: what they hear and what they bring is each group's, wherever it is."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from channels_redis.core import RedisChannelLayer
from node_server import Dialler, relayed, settings_of_node
from redis_servers import HANG, RedisServer, group_on
from running import Running

GROUPS = [group_on(host) for host in range(3)]
NUMBERS = [int(group.partition("-")[2]) for group in GROUPS]


@pytest.fixture
async def node(three_redis: list[RedisServer], tmp_path: Path) -> AsyncIterator[Running]:
    urls = tuple(server.url for server in three_redis)
    running = Running(settings_of_node(urls[0], tmp_path, redis=urls))
    await running.wait_until_serving()
    yield running
    await running.stop()
    assert [server.client().keys("awxfast*") for server in three_redis] == [[], [], []]


@pytest.fixture
async def stock(three_redis: list[RedisServer]) -> AsyncIterator[RedisChannelLayer]:
    layer = RedisChannelLayer(hosts=[server.url for server in three_redis], capacity=10_000)
    yield layer
    await layer.close_pools()


async def test_link_hears_of_groups_on_each_and_brings_events_to_browsers_and_stock_consumers(
    node: Running, dialler: Dialler, stock: RedisChannelLayer
) -> None:
    early = await dialler.subscribe(node, job_events=NUMBERS[:1])
    link = await dialler.dial(node)
    first = await asyncio.wait_for(link.receive_json(), HANG)
    assert (first["type"], first["groups"]) == ("consumer.subscribe", GROUPS[:1])
    browser = await dialler.subscribe(node, job_events=NUMBERS)
    told: set[str] = set()
    while len(told) < 2:
        notice = await asyncio.wait_for(link.receive_json(), HANG)
        assert notice["type"] == "consumer.subscribe"
        told |= {*notice["groups"]}
    assert told == {*GROUPS[1:]}
    channel = await stock.new_channel()
    for group in GROUPS:
        await stock.group_add(group, channel)
    for group in GROUPS:
        await link.send_str(relayed(group, group))
    heard = [(await asyncio.wait_for(browser.receive(), HANG)).data for _ in GROUPS]
    passed_on = [(await asyncio.wait_for(stock.receive(channel), HANG))["text"] for _ in GROUPS]
    assert (sorted(heard), sorted(passed_on)) == (sorted(GROUPS), sorted(GROUPS))
    for one in (early, browser, link):
        await one.close()
