"""Encrypted and JSON messages of our producers: read by channels_redis, to whoever is in the group at that moment."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis
from awxfast.layer import RedisChannelLayer
from awxfast.producer.group_sends import CHECKED_TRIES, MOST_GROUPS, GroupSends
from awxfast.settings import LayerSettings
from awxfast.wire.entry_bodies import make_entry_format
from awxfast.wire.whole_send import CHANGED
from channels_redis.core import RedisChannelLayer as StockLayer
from redis_servers import HANG, RedisServer

OPTIONS: dict[str, dict[str, Any]] = {
    "encrypted": {"symmetric_encryption_keys": ["new", "old"]},
    "json": {"serializer_format": "json"},
    "both": {"serializer_format": "json", "symmetric_encryption_keys": ["new"], "random_prefix_length": 0},
    "short_prefix": {"random_prefix_length": 3},
}
MESSAGE = {"type": "internal.message", "text": "änderung", "needs_relay": True}


@pytest.fixture(params=OPTIONS)
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    return OPTIONS[request.param]


@pytest.fixture
async def stock(redis_server: RedisServer, options: dict[str, Any]) -> AsyncIterator[StockLayer]:
    layer = StockLayer(hosts=[redis_server.url], **options)
    yield layer
    await layer.close_pools()


@pytest.fixture
async def ours(redis_server: RedisServer, options: dict[str, Any]) -> AsyncIterator[RedisChannelLayer]:
    layer = RedisChannelLayer(hosts=[redis_server.url], **options)
    yield layer
    await layer.close_pools()


async def receive(layer: StockLayer, channel: str) -> dict[str, Any]:
    async with asyncio.timeout(HANG):
        message: dict[str, Any] = await layer.receive(channel)
        return message


def scripts_run(server: RedisServer) -> int:
    statistics = server.client().info("commandstats")
    return sum(statistics.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("eval", "evalsha"))


class TestMembers:
    async def test_whoever_joins_or_leaves_between_two_messages_is_counted(
        self, ours: RedisChannelLayer, stock: StockLayer, redis_server: RedisServer
    ) -> None:
        first, second = await stock.new_channel(), await stock.new_channel()
        await stock.group_add("a", first)
        await ours.group_send("a", MESSAGE)
        await stock.group_add("a", second)
        await ours.group_send("a", {**MESSAGE, "text": "2"})
        await stock.group_discard("a", first)
        await ours.group_send("a", {**MESSAGE, "text": "3"})
        assert [(await receive(stock, first))["text"] for _ in range(2)] == ["änderung", "2"]
        assert [(await receive(stock, second))["text"] for _ in range(2)] == ["2", "3"]

    async def test_group_of_nobody_costs_one_script_and_writes_nothing(
        self, ours: RedisChannelLayer, redis_server: RedisServer
    ) -> None:
        await ours.group_send("a", MESSAGE)
        before = scripts_run(redis_server)
        await ours.group_send("a", MESSAGE)
        assert scripts_run(redis_server) - before == 1
        assert redis_server.client().keys("*") == []

    async def test_channels_of_one_process_share_an_entry(
        self, ours: RedisChannelLayer, stock: StockLayer, redis_server: RedisServer
    ) -> None:
        channels = [await stock.new_channel() for _ in range(3)]
        for channel in channels:
            await stock.group_add("a", channel)
        await ours.group_send("a", MESSAGE)
        assert redis_server.client().zcard("asgi" + channels[0].partition("!")[0] + "!") == 1
        assert [await receive(stock, channel) for channel in channels] == [MESSAGE] * 3

    async def test_queue_of_another_type_is_the_stock_layers_error(
        self, ours: RedisChannelLayer, redis_server: RedisServer
    ) -> None:
        client = redis_server.client()
        client.zadd("asgi:group:a", {"specific.a!x": time.time()})
        client.set("asgispecific.a!", "text")
        with pytest.raises(redis.exceptions.ResponseError, match="WRONGTYPE"):
            await ours.group_send("a", MESSAGE)

    async def test_full_queue_keeps_what_it_has(
        self, redis_server: RedisServer, options: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        client = redis_server.client()
        client.zadd("asgi:group:a", {"specific.a!x": time.time()})
        layer = RedisChannelLayer(hosts=[redis_server.url], capacity=2, **options)
        for number in range(4):
            await layer.group_send("a", {"type": "a", "n": number})
        assert client.zcard("asgispecific.a!") == 2
        assert "1 of 1 queues are full" in caplog.text
        await layer.close_pools()


@pytest.mark.parametrize("options", ["encrypted"], indirect=True)
class TestScripts:
    async def test_same_members_take_one_script_and_others_one_more(
        self, ours: RedisChannelLayer, stock: StockLayer, redis_server: RedisServer
    ) -> None:
        await stock.group_add("a", await stock.new_channel())
        costs = []
        for _ in range(3):
            before = scripts_run(redis_server)
            await ours.group_send("a", MESSAGE)
            costs.append(scripts_run(redis_server) - before)
        await stock.group_add("a", await stock.new_channel())
        before = scripts_run(redis_server)
        await ours.group_send("a", MESSAGE)
        assert costs[1:] == [1, 1]
        assert scripts_run(redis_server) - before == 2


class TestSteps:
    def test_group_that_changes_each_time_is_written_to_as_found_last(self) -> None:
        layer = LayerSettings()
        steps = GroupSends(layer, make_entry_format(layer, [b"key"])).steps("a", MESSAGE)
        asked = [steps.send(None)]
        for number in range(CHECKED_TRIES):
            asked.append(steps.send([CHANGED, f"specific.{number}!x".encode()]))
        digests = [words[7] for _, _, words in asked]
        assert len(set(digests)) == len(asked)
        assert (digests[-1], asked[-1][2][8]) == ("", f"specific.{CHECKED_TRIES - 1}!")
        with pytest.raises(StopIteration) as end:
            steps.send([0, 1])
        assert end.value.value == [0, 1]

    def test_members_of_no_more_groups_than_bound_are_remembered(self) -> None:
        layer = LayerSettings()
        sends = GroupSends(layer, make_entry_format(layer, [b"key"]))
        for number in range(MOST_GROUPS + 10):
            steps = sends.steps(f"a-{number}", MESSAGE)
            steps.send(None)
            steps.send([CHANGED, b"specific.a!x"])
        assert len(sends._members) == MOST_GROUPS
