"""The producers' layer against channels_redis' own: the same bytes, in one round trip."""

import asyncio
import multiprocessing
import threading
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
import redis
from asgiref.sync import async_to_sync
from awxfast.layer import RedisChannelLayer
from channels_redis.core import RedisChannelLayer as StockLayer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis_servers import HANG, RedisServer

MESSAGE = {"type": "internal.message", "text": "änderung", "needs_relay": True}

LOOKING = {"cmdstat_ping", "cmdstat_info", "cmdstat_hello", "cmdstat_client|setinfo", "cmdstat_command|docs"}
"""What the fixtures and these tests ask."""

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def queued(server: RedisServer) -> dict[str, list[tuple[bytes, float]]]:
    """All entries of all queues, without their random prefixes."""
    client = server.client()
    keys = [key.decode() for key in client.keys("asgispecific*!")]
    return {key: [(member[12:], score) for member, score in client.zrange(key, 0, -1, withscores=True)] for key in keys}


async def receive(layer: Any, channel: str) -> dict[str, Any]:
    async with asyncio.timeout(HANG):
        message: dict[str, Any] = await layer.receive(channel)
        return message


class TestBytes:
    async def test_entries_are_those_that_the_stock_layer_writes(
        self, ours: RedisChannelLayer, stock: StockLayer, redis_server: RedisServer
    ) -> None:
        other = StockLayer(hosts=[redis_server.url])
        for layer in (stock, stock, other):
            await layer.group_add("job_events-1", await layer.new_channel())
        await stock.group_send("job_events-1", MESSAGE)
        expected = {key: [member for member, _ in entries] for key, entries in queued(redis_server).items()}
        redis_server.client().delete(*expected)
        await ours.group_send("job_events-1", MESSAGE)
        assert {key: [member for member, _ in entries] for key, entries in queued(redis_server).items()} == expected
        assert sorted(map(len, (msgpack.unpackb(m[0])["__asgi_channel__"] for m in expected.values()))) == [1, 2]
        await other.close_pools()

    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(extra=st.dictionaries(st.text(max_size=20), VALUES, max_size=20))
    def test_stock_consumer_receives_any_message(self, redis_server: RedisServer, extra: dict[str, Any]) -> None:
        message = {**extra, "type": "a"}
        message.pop("__asgi_channel__", None)

        async def send_and_receive() -> dict[str, Any]:
            stock, ours = StockLayer(hosts=[redis_server.url]), RedisChannelLayer(hosts=[redis_server.url])
            channel = await stock.new_channel()
            await stock.group_add("room", channel)
            await ours.group_send("room", message)
            got = await receive(stock, channel)
            await stock.close_pools()
            await ours.close_pools()
            redis_server.client().flushall()
            return got

        assert asyncio.run(send_and_receive()) == message

    async def test_scores_and_expiry_are_the_stock_layers(
        self, ours: RedisChannelLayer, stock: StockLayer, redis_server: RedisServer
    ) -> None:
        await stock.group_add("room", await stock.new_channel())
        await ours.group_send("room", {"type": "first"})
        await stock.group_send("room", {"type": "second"})
        await ours.group_send("room", {"type": "third"})
        ((key, entries),) = queued(redis_server).items()
        assert [msgpack.unpackb(member)["type"] for member, _ in entries] == ["first", "second", "third"]
        assert 50 < redis_server.client().ttl(key) <= 60

    async def test_channel_without_a_process_is_a_queue_too(self, ours: RedisChannelLayer, stock: StockLayer) -> None:
        await stock.group_add("room", "plain")
        await ours.group_send("room", {"type": "a"})
        assert await receive(stock, "plain") == {"type": "a"}


class TestRules:
    async def test_group_without_members_gets_nothing(self, ours: RedisChannelLayer, redis_server: RedisServer) -> None:
        await ours.group_send("nobody", MESSAGE)
        assert redis_server.client().keys("*") == []

    async def test_members_past_group_expiry_go(self, redis_server: RedisServer) -> None:
        redis_server.client().zadd("asgi:group:room", {"specific.x!y": 1.0})
        layer = RedisChannelLayer(hosts=[redis_server.url])
        await layer.group_send("room", MESSAGE)
        assert redis_server.client().keys("*") == []
        await layer.close_pools()

    async def test_messages_past_expiry_go(self, ours: RedisChannelLayer, redis_server: RedisServer) -> None:
        redis_server.client().zadd("asgi:group:room", {"specific.x!y": 9e9})
        redis_server.client().zadd("asgispecific.x!", {b"old": 1.0})
        await ours.group_send("room", MESSAGE)
        assert redis_server.client().zscore("asgispecific.x!", b"old") is None
        assert redis_server.client().zcard("asgispecific.x!") == 1

    async def test_full_queue_keeps_the_oldest(self, redis_server: RedisServer) -> None:
        layer = RedisChannelLayer(hosts=[redis_server.url], capacity=3)
        redis_server.client().zadd("asgi:group:room", {"specific.x!y": 9e9})
        for number in range(5):
            await layer.group_send("room", {"type": "a", "number": number})
        ((_, entries),) = queued(redis_server).items()
        assert [msgpack.unpackb(member)["number"] for member, _ in entries] == [0, 1, 2]
        await layer.close_pools()

    @pytest.mark.parametrize("group", ["", "a b", "x" * 100, 7])
    async def test_wrong_name_of_a_group_is_a_type_error(self, ours: RedisChannelLayer, group: Any) -> None:
        with pytest.raises(TypeError):
            await ours.group_send(group, MESSAGE)

    async def test_what_msgpack_can_not_pack_is_the_senders_error(
        self, ours: RedisChannelLayer, stock: StockLayer
    ) -> None:
        with pytest.raises(TypeError):
            await ours.group_send("room", {"type": "a", "thing": object()})

    async def test_key_of_another_type_is_a_response_error(
        self, ours: RedisChannelLayer, redis_server: RedisServer
    ) -> None:
        redis_server.client().set("asgi:group:room", "text")
        for _ in range(2):
            with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
                await ours.group_send("room", MESSAGE)


class TestOneRoundTrip:
    async def test_a_send_is_one_command(self, ours: RedisChannelLayer, redis_server: RedisServer) -> None:
        await ours.group_send("room", MESSAGE)
        for _ in range(10):
            await ours.group_send("room", MESSAGE)
        asked = redis_server.client().info("commandstats")
        within = {"cmdstat_zremrangebyscore", "cmdstat_zrange"}
        assert {name: asked[name]["calls"] for name in asked.keys() - within - LOOKING} == {
            "cmdstat_evalsha": 11,
            "cmdstat_eval": 1,
        }

    def test_event_loops_come_and_go_on_one_connection(self, redis_server: RedisServer) -> None:
        layer = RedisChannelLayer(hosts=[redis_server.url])
        send: Callable[..., None] = async_to_sync(layer.group_send)
        send("room", MESSAGE)
        opened = redis_server.client().info("stats")["total_connections_received"]
        for _ in range(20):
            send("room", MESSAGE)
        # Each client() of this test is one.
        assert redis_server.client().info("stats")["total_connections_received"] <= opened + 1
        async_to_sync(layer.close_pools)()


class TestConcurrency:
    async def test_many_tasks_threads_and_a_fork_at_once(self, stock: StockLayer, redis_server: RedisServer) -> None:
        ours = RedisChannelLayer(hosts=[redis_server.url], capacity=1_000)
        await stock.group_add("room", await stock.new_channel())

        def send_from_thread(name: str) -> None:
            for number in range(20):
                async_to_sync(ours.group_send)("room", {"type": "a", "from": name, "number": number})

        async def send_from_task(name: str) -> None:
            for number in range(20):
                await ours.group_send("room", {"type": "a", "from": name, "number": number})

        await ours.group_send("room", {"type": "first"})  # its connection is there when the process forks
        child = multiprocessing.get_context("fork").Process(target=send_from_thread, args=("child",))
        child.start()
        threads = [threading.Thread(target=send_from_thread, args=(f"thread {n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        await asyncio.gather(*(send_from_task(f"task {n}") for n in range(10)))
        for thread in [*threads, child]:
            await asyncio.to_thread(thread.join, HANG)
        assert child.exitcode == 0
        ((_, entries),) = queued(redis_server).items()
        first, *messages = (msgpack.unpackb(member) for member, _ in entries)
        seen: dict[str, list[int]] = {}
        for message in messages:
            seen.setdefault(message["from"], []).append(message["number"])
        assert first["type"] == "first"
        assert list(seen.values()) == [list(range(20))] * (10 + 4 + 1)
        await ours.close_pools()


class TestRedisFaults:
    async def test_a_connection_that_redis_closed_is_replaced(
        self, ours: RedisChannelLayer, stock: StockLayer, redis_server: RedisServer
    ) -> None:
        await ours.group_send("room", MESSAGE)
        redis_server.kill()
        with pytest.raises(ConnectionError, match="Redis"):
            await ours.group_send("room", MESSAGE)
        redis_server.start()
        channel = await stock.new_channel()
        await stock.group_add("room", channel)
        await ours.group_send("room", MESSAGE)
        assert await receive(stock, channel) == MESSAGE

    async def test_cancelled_send_does_not_spoil_the_next_one(
        self, ours: RedisChannelLayer, redis_server: RedisServer
    ) -> None:
        await ours.group_send("room", MESSAGE)
        redis_server.client().execute_command("CLIENT", "PAUSE", "200")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await ours.group_send("room", MESSAGE)
        redis_server.client().set("asgi:group:wrong", "type")
        await ours.group_send("room", MESSAGE)
        with pytest.raises(redis.ResponseError):
            await ours.group_send("wrong", MESSAGE)


class TestWhatTheScriptCanNotDo:
    @pytest.mark.parametrize(
        "options",
        [
            {"symmetric_encryption_keys": ["k"]},
            {"channel_capacity": {"specific.*": 2}},
            {"serializer_format": "json"},
        ],
        ids=lambda options: next(iter(options)),
    )
    async def test_it_is_done_by_channels_redis(self, redis_server: RedisServer, options: dict[str, Any]) -> None:
        consumer = StockLayer(hosts=[redis_server.url], **options)
        producer = RedisChannelLayer(hosts=[redis_server.url], **options)
        channel = await consumer.new_channel()
        await consumer.group_add("room", channel)
        for number in range(3):
            await producer.group_send("room", {"type": "a", "number": number})
        assert await receive(consumer, channel) == {"type": "a", "number": 0}
        await consumer.close_pools()
        await producer.close_pools()
