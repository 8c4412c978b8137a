"""Our producers on a layer with several Redis: whoever is in a group gets its messages, wherever that reads."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from awxfast.layer import RedisChannelLayer
from awxfast.producer.emit import Sender
from channels_redis.core import RedisChannelLayer as StockLayer
from channels_redis.utils import _consistent_hash
from redis.exceptions import ConnectionError as RedisConnectionError
from redis_servers import HANG, RedisServer, group_on

MESSAGE = {"type": "internal.message", "text": "änderung", "needs_relay": True}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "encrypted": {"symmetric_encryption_keys": ["key"]},
    "json": {"serializer_format": "json"},
}


@pytest.fixture(params=OPTIONS)
def options(request: pytest.FixtureRequest, three_redis: list[RedisServer]) -> dict[str, Any]:
    return {"hosts": [server.url for server in three_redis], **OPTIONS[request.param]}


@pytest.fixture
async def stocks(options: dict[str, Any]) -> AsyncIterator[list[StockLayer]]:
    """Stock processes, one whose queue is on each Redis."""
    layers: dict[int, StockLayer] = {}
    while len(layers) < 3:
        layer = StockLayer(**options)
        layers[layer.consistent_hash(f"specific.{layer.client_prefix}!")] = layer
    yield [layers[host] for host in range(3)]
    for layer in layers.values():
        await layer.close_pools()


@pytest.fixture
async def ours(options: dict[str, Any]) -> AsyncIterator[RedisChannelLayer]:
    layer = RedisChannelLayer(**options)
    yield layer
    await layer.close_pools()


async def receive(layer: StockLayer, channel: str) -> dict[str, Any]:
    async with asyncio.timeout(HANG):
        message: dict[str, Any] = await layer.receive(channel)
        return message


async def join_all(stocks: Sequence[StockLayer], group: str) -> list[str]:
    channels = [await stock.new_channel() for stock in stocks]
    for stock, channel in zip(stocks, channels, strict=True):
        await stock.group_add(group, channel)
    return channels


class TestGroupSend:
    async def test_reaches_members_wherever_their_queues_are_and_whoever_joins_later(
        self, ours: RedisChannelLayer, stocks: list[StockLayer]
    ) -> None:
        for host in range(3):
            group = group_on(host)
            channels = await join_all(stocks, group)
            for number in range(3):
                await ours.group_send(group, {**MESSAGE, "text": str(number)})
            later = await stocks[host].new_channel()
            await stocks[host].group_add(group, later)
            await ours.group_send(group, {**MESSAGE, "text": "3"})
            for stock, channel in zip(stocks, channels, strict=True):
                assert [(await receive(stock, channel))["text"] for _ in range(4)] == ["0", "1", "2", "3"]
            assert (await receive(stocks[host], later))["text"] == "3"

    async def test_emit_does_the_same(self, options: dict[str, Any], stocks: list[StockLayer]) -> None:
        sender = Sender(options)
        channels = await join_all(stocks, group_on(1))
        await asyncio.to_thread(sender.send, group_on(1), MESSAGE)
        assert [await receive(*pair) for pair in zip(stocks, channels, strict=True)] == [MESSAGE] * 3
        sender.close()

    @pytest.mark.parametrize("options", ["plain"], indirect=True)
    async def test_queue_with_the_group_takes_one_script(
        self,
        ours: RedisChannelLayer,
        stocks: list[StockLayer],
        three_redis: list[RedisServer],
    ) -> None:
        await join_all(stocks[:1], group_on(0))
        await ours.group_send(group_on(0), MESSAGE)
        before = [scripts_run(server) for server in three_redis]
        await ours.group_send(group_on(0), MESSAGE)
        assert [scripts_run(server) - count for server, count in zip(three_redis, before, strict=True)] == [1, 0, 0]

    @pytest.mark.parametrize("options", ["plain"], indirect=True)
    async def test_full_queue_on_another_redis_is_counted(
        self, ours: RedisChannelLayer, stocks: list[StockLayer], caplog: pytest.LogCaptureFixture
    ) -> None:
        await join_all(stocks[1:], group_on(0))
        for _ in range(101):
            await ours.group_send(group_on(0), MESSAGE)
        assert "2 of 2 queues are full" in caplog.text

    @pytest.mark.parametrize("options", ["plain"], indirect=True)
    async def test_redis_that_is_away_stops_its_own_groups(
        self,
        ours: RedisChannelLayer,
        stocks: list[StockLayer],
        three_redis: list[RedisServer],
    ) -> None:
        channels = await join_all(stocks[:1], group_on(0))
        three_redis[1].kill()
        with pytest.raises((RedisConnectionError, ConnectionError)):
            await ours.group_send(group_on(1), MESSAGE)
        await ours.group_send(group_on(0), MESSAGE)
        assert await receive(stocks[0], channels[0]) == MESSAGE


class TestSend:
    @pytest.mark.parametrize("options", ["plain"], indirect=True)
    async def test_goes_where_the_channel_is_read(self, ours: RedisChannelLayer, stocks: list[StockLayer]) -> None:
        """Stock goes where its whole name belongs, so that most of what it sends is lost (`_consistent_hash`)."""
        channels = [await stocks[0].new_channel() for _ in range(20)]
        assert {_consistent_hash(channel, 3) for channel in channels} == {0, 1, 2}
        for channel in channels:
            await ours.send(channel, MESSAGE)
            assert await receive(stocks[0], channel) == MESSAGE


def scripts_run(server: RedisServer) -> int:
    with server.client() as client:
        statistics = client.info("commandstats")
    return sum(statistics.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("eval", "evalsha"))
