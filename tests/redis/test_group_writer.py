"""Events written for others: read by channels_redis itself, in order, within its rules."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import msgpack
import pytest
from awxfast.redis.connection import RedisConnection
from awxfast.redis.group_writer import Event, GroupWriter
from awxfast.redis.login import open_connection
from awxfast.settings import LayerSettings
from channels_redis.core import RedisChannelLayer
from redis_servers import RedisServer


@pytest.fixture
async def connection(redis_server: RedisServer) -> AsyncIterator[RedisConnection]:
    opened = await open_connection(redis_server.address)
    yield opened
    opened.close()


@pytest.fixture
async def layer(redis_server: RedisServer) -> AsyncIterator[RedisChannelLayer]:
    stock = RedisChannelLayer(hosts=[redis_server.url], capacity=10_000)
    yield stock
    await stock.close_pools()


def make_writer(own: str = "", **options: Any) -> GroupWriter:
    return GroupWriter(LayerSettings(**{"group_expiry": 86_400, **options}), own)


class TestReaders:
    @pytest.mark.parametrize("length", [0, 31, 32, 255, 256, 65_535, 65_536])
    async def test_stock_consumer_receives_the_text(
        self, connection: RedisConnection, layer: RedisChannelLayer, length: int
    ) -> None:
        channel = await layer.new_channel()
        await layer.group_add("job_events-1", channel)
        sent = await make_writer().send(connection, [Event("job_events-1", b"x" * length)], time.time())
        assert (sent.taken, sent.full) == ([1], 0)
        assert await layer.receive(channel) == {"type": "internal.message", "text": "x" * length}

    async def test_each_channel_of_a_process_gets_its_copy(
        self, connection: RedisConnection, layer: RedisChannelLayer
    ) -> None:
        channels = [await layer.new_channel() for _ in range(3)]
        for channel in channels:
            await layer.group_add("jobs-summary", channel)
        sent = await make_writer().send(connection, [Event("jobs-summary", b"{}")], time.time())
        assert sent.taken == [1]
        received = await asyncio.gather(*(layer.receive(channel) for channel in channels))
        assert [message["text"] for message in received] == ["{}"] * 3

    async def test_entry_is_what_msgpack_packs(
        self, connection: RedisConnection, layer: RedisChannelLayer, redis_server: RedisServer
    ) -> None:
        channel = await layer.new_channel()
        await layer.group_add("a-1", channel)
        await make_writer().send(connection, [Event("a-1", "\u00e9".encode())], time.time())
        with redis_server.client() as client:
            ((entry, _),) = client.zrange("asgi" + channel[: channel.index("!") + 1], 0, -1, withscores=True)
        message = {"type": "internal.message", "text": "\u00e9", "__asgi_channel__": [channel]}
        assert entry[12:] == msgpack.packb(message)

    async def test_batch_keeps_its_order_even_when_the_clock_steps_back(
        self, connection: RedisConnection, layer: RedisChannelLayer
    ) -> None:
        channel = await layer.new_channel()
        await layer.group_add("a-1", channel)
        writer, now = make_writer(), time.time()
        texts = [str(number) for number in range(600)]
        for start, clock in ((0, now), (200, now - 30), (400, now)):
            await writer.send(connection, [Event("a-1", text.encode()) for text in texts[start : start + 200]], clock)
        assert [(await layer.receive(channel))["text"] for _ in texts] == texts


class TestRules:
    async def test_group_of_nobody_costs_nothing(self, connection: RedisConnection, redis_server: RedisServer) -> None:
        sent = await make_writer().send(connection, [Event("a-1", b"{}")], time.time())
        assert sent.taken == [0]
        with redis_server.client() as client:
            assert client.dbsize() == 0

    async def test_own_queue_is_left_out(self, connection: RedisConnection, redis_server: RedisServer) -> None:
        with redis_server.client() as client:
            client.zadd("asgi:group:a-1", {"specific.own!g.a-1": time.time(), "specific.other!x": time.time()})
            sent = await make_writer(own="specific.own!").send(connection, [Event("a-1", b"{}")], time.time())
            assert sent.taken == [1]
            assert client.keys("asgispecific*") == [b"asgispecific.other!"]

    async def test_full_queue_keeps_its_old_events(
        self, connection: RedisConnection, redis_server: RedisServer
    ) -> None:
        with redis_server.client() as client:
            client.zadd("asgi:group:a-1", {"specific.a!x": time.time()})
            events = [Event("a-1", str(number).encode()) for number in range(5)]
            sent = await make_writer(capacity=3).send(connection, events, time.time())
            assert (sent.taken, sent.full) == ([1, 1, 1, 0, 0], 2)
            entries = client.zrange("asgispecific.a!", 0, -1)
        assert [msgpack.unpackb(entry[12:])["text"] for entry in entries] == ["0", "1", "2"]

    async def test_queue_expires_and_old_events_are_trimmed(
        self, connection: RedisConnection, redis_server: RedisServer
    ) -> None:
        with redis_server.client() as client:
            client.zadd("asgi:group:a-1", {"specific.a!x": time.time()})
            client.zadd("asgispecific.a!", {"old": time.time() - 100})
            await make_writer().send(connection, [Event("a-1", b"{}")], time.time())
            assert client.zcard("asgispecific.a!") == 1
            assert 0 < client.ttl("asgispecific.a!") <= 60

    async def test_key_of_another_type_spoils_nothing_else(
        self, connection: RedisConnection, redis_server: RedisServer
    ) -> None:
        with redis_server.client() as client:
            client.set("asgi:group:bad-1", "text")
            client.zadd("asgi:group:bad-2", {"specific.b!x": time.time()})
            client.set("asgispecific.b!", "text")
            client.zadd("asgi:group:a-1", {"specific.a!x": time.time()})
            events = [Event("bad-1", b"{}"), Event("bad-2", b"{}"), Event("a-1", b"{}")]
            sent = await make_writer().send(connection, events, time.time())
        assert (sent.taken, sent.full) == ([0, 0, 1], 1)


class TestFindHeard:
    async def test_tells_who_has_listeners_besides_us(
        self, connection: RedisConnection, redis_server: RedisServer
    ) -> None:
        with redis_server.client() as client:
            client.zadd("asgi:group:a-1", {"specific.own!g.a-1": time.time()})
            client.zadd("asgi:group:a-2", {"specific.own!g.a-2": time.time(), "specific.other!x": time.time()})
        heard = await make_writer(own="specific.own!").find_heard(connection, ["a-1", "a-2", "a-3"], time.time())
        assert heard == {"a-1": False, "a-2": True, "a-3": False}

    async def test_members_past_the_group_expiry_are_removed(
        self, connection: RedisConnection, redis_server: RedisServer
    ) -> None:
        with redis_server.client() as client:
            client.zadd("asgi:group:a-1", {"specific.a!x": time.time() - 1000})
            heard = await make_writer(group_expiry=500).find_heard(connection, ["a-1"], time.time())
            assert heard == {"a-1": False}
            assert client.dbsize() == 0


class TestScripts:
    async def test_restarted_redis_learns_the_script_again(
        self, connection: RedisConnection, redis_server: RedisServer
    ) -> None:
        writer = make_writer()
        await writer.send(connection, [Event("a-1", b"{}")], time.time())
        with redis_server.client() as client:
            client.script_flush()
        assert (await writer.send(connection, [Event("a-1", b"{}")], time.time())).taken == [0]
