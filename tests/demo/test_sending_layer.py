"""The demo's own sending half, against channels_redis itself."""

import asyncio
from collections.abc import Iterator

import pytest
from awxfast.demo.sending_layer import SendingLayer
from awxfast.redis.private import PrivateRedis
from awxfast.settings import LayerSettings
from channels_redis.core import RedisChannelLayer


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    redis = PrivateRedis()
    yield redis.url
    redis.stop()


class TestGroupSend:
    async def test_stock_consumer_gets_the_message(self, redis_url: str) -> None:
        stock = RedisChannelLayer(hosts=[redis_url])
        layer = SendingLayer(redis_url)
        channel = await stock.new_channel()
        await stock.group_add("job_events-42", channel)
        await layer.group_send("job_events-42", {"type": "internal.message", "text": "é", "needs_relay": True})
        message = await asyncio.wait_for(stock.receive(channel), 30)
        assert message == {"type": "internal.message", "text": "é", "needs_relay": True}
        await layer.close_pools()
        await stock.close_pools()

    async def test_nobody_is_there(self, redis_url: str) -> None:
        layer = SendingLayer(redis_url)
        await layer.group_send("nobody", {"type": "internal.message", "text": "x"})
        await layer.close_pools()

    async def test_full_queue_gets_no_more(self, redis_url: str) -> None:
        stock = RedisChannelLayer(hosts=[redis_url])
        layer = SendingLayer(redis_url, LayerSettings(capacity=2))
        channel = await stock.new_channel()
        await stock.group_add("busy", channel)
        for number in range(5):
            await layer.group_send("busy", {"type": "internal.message", "text": str(number)})
        queue = "asgi" + channel.partition("!")[0] + "!"
        assert await stock.connection(0).zcard(queue) == 2
        await layer.close_pools()
        await stock.close_pools()
