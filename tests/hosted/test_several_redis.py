"""The hosted layer where channels_redis has several Redis: stock processes beside it, in both directions."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from awxfast.hosted.channel_layer import HostedLayer
from channels_redis.core import RedisChannelLayer
from channels_redis.utils import _consistent_hash
from hosted_layers import Hosted
from redis_servers import HANG, RedisServer, group_on

MESSAGE = {"type": "chat.message", "text": "Привет"}


@pytest.fixture
async def hosted(three_redis: list[RedisServer]) -> AsyncIterator[Hosted]:
    one = Hosted(*three_redis)
    await one.intake.start()
    yield one
    await one.stop()
    assert [server.client().keys("awxfast*") for server in three_redis] == [[], [], []]


@pytest.fixture
async def stock(three_redis: list[RedisServer]) -> AsyncIterator[RedisChannelLayer]:
    layer = RedisChannelLayer(hosts=[server.url for server in three_redis])
    yield layer
    await layer.close_pools()


async def receive(layer: RedisChannelLayer, channel: str) -> dict[str, Any]:
    async with asyncio.timeout(HANG):
        message: dict[str, Any] = await layer.receive(channel)
        return message


class TestSend:
    async def test_from_stock_processes_reaches_every_channel(self, hosted: Hosted, stock: RedisChannelLayer) -> None:
        """Their `send` hashes the whole name: ours are such that their queue is there."""
        channels = [await hosted.layer.new_channel() for _ in range(20)]
        assert {_consistent_hash(channel, 3) for channel in channels} == {0, 1, 2}
        for channel in channels:
            await stock.send(channel, MESSAGE)
            assert await receive(hosted.layer, channel) == MESSAGE

    async def test_to_stock_processes_goes_where_they_read(self, hosted: Hosted, stock: RedisChannelLayer) -> None:
        for _ in range(20):
            channel = await stock.new_channel()
            await hosted.layer.send(channel, MESSAGE)
            assert await receive(stock, channel) == MESSAGE

    async def test_to_own_channels_keeps_order(self, hosted: Hosted) -> None:
        channel = await hosted.layer.new_channel()
        for number in range(20):
            await hosted.layer.send(channel, {**MESSAGE, "number": number})
        assert [(await receive(hosted.layer, channel))["number"] for _ in range(20)] == list(range(20))


class TestGroups:
    async def test_on_every_redis_reach_channels_of_both_kinds(self, hosted: Hosted, stock: RedisChannelLayer) -> None:
        for host in range(3):
            ours, theirs, group = await hosted.layer.new_channel(), await stock.new_channel(), group_on(host)
            await hosted.layer.group_add(group, ours)
            await hosted.layer.group_add(group, theirs)
            for sender in (hosted.layer, stock):
                await sender.group_send(group, MESSAGE)
                assert await receive(hosted.layer, ours) == MESSAGE
                assert await receive(stock, theirs) == MESSAGE
            await hosted.layer.group_discard(group, ours)
            await hosted.layer.group_discard(group, theirs)

    async def test_flush_on_all_keeps_those_who_join_afterwards(self, hosted: Hosted, stock: RedisChannelLayer) -> None:
        channel = await hosted.layer.new_channel()
        for host in range(3):
            await hosted.layer.group_add(group_on(host), channel)
        await hosted.layer.flush()
        for host in range(3):
            await hosted.layer.group_add(group_on(host), channel)
            await stock.group_send(group_on(host), MESSAGE)
            assert await receive(hosted.layer, channel) == MESSAGE


async def test_channels_of_one_redis_have_channels_rediss_own_form(start_hosted: Any) -> None:
    one = await start_hosted()
    assert isinstance(one.layer, HostedLayer)
    assert (await one.layer.new_channel()).startswith(f"specific.{one.intake.token}!")
