"""The demo's own sending half, against channels_redis and msgpack themselves."""

import asyncio
from collections.abc import Iterator

import msgpack
import pytest
from awxfast.demo.wire_layer import WireLayer, channels_by_queue, pack_message
from awxfast.redis.private import PrivateRedis
from channels_redis.core import RedisChannelLayer
from hypothesis import given
from hypothesis import strategies as st

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
MESSAGES = st.dictionaries(TEXTS, st.one_of(st.booleans(), TEXTS), max_size=14)


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    redis = PrivateRedis()
    yield redis.url
    redis.stop()


class TestMsgpack:
    @given(MESSAGES, st.lists(TEXTS, max_size=20))
    def test_bytes_are_those_of_msgpack(self, message: dict[str, str | bool], channels: list[str]) -> None:
        message.pop("__asgi_channel__", None)
        assert pack_message(message, channels) == msgpack.packb({**message, "__asgi_channel__": channels})

    @pytest.mark.parametrize("size", [0, 31, 32, 255, 256, 65_535, 65_536])
    def test_text_of_every_length(self, size: int) -> None:
        message = {"text": "x" * size}
        assert msgpack.unpackb(pack_message(message, ["a"])) == {**message, "__asgi_channel__": ["a"]}


class TestQueues:
    def test_channels_of_one_process_share_a_queue(self) -> None:
        members = [b"specific.a!g.x", b"specific.a!g.y", b"specific.b!g.x", b"plain"]
        assert channels_by_queue(members) == {
            "specific.a!": ["specific.a!g.x", "specific.a!g.y"],
            "specific.b!": ["specific.b!g.x"],
            "plain": ["plain"],
        }


class TestGroupSend:
    async def test_stock_consumer_gets_the_message(self, redis_url: str) -> None:
        stock = RedisChannelLayer(hosts=[redis_url])
        layer = WireLayer(redis_url)
        channel = await stock.new_channel()
        await stock.group_add("job_events-42", channel)
        await layer.group_send("job_events-42", {"type": "internal.message", "text": "é", "needs_relay": True})
        message = await asyncio.wait_for(stock.receive(channel), 30)
        assert message == {"type": "internal.message", "text": "é", "needs_relay": True}
        await layer.close_pools()
        await stock.close_pools()

    async def test_nobody_is_there(self, redis_url: str) -> None:
        layer = WireLayer(redis_url)
        await layer.group_send("nobody", {"type": "internal.message", "text": "x"})
        await layer.close_pools()

    async def test_full_queue_gets_no_more(self, redis_url: str) -> None:
        stock = RedisChannelLayer(hosts=[redis_url])
        layer = WireLayer(redis_url, capacity=2)
        channel = await stock.new_channel()
        await stock.group_add("busy", channel)
        for number in range(5):
            await layer.group_send("busy", {"type": "internal.message", "text": str(number)})
        queue = "asgi" + channel.partition("!")[0] + "!"
        assert await stock.connection(0).zcard(queue) == 2
        await layer.close_pools()
        await stock.close_pools()
