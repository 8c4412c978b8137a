"""Events of encrypted and JSON layers, written for others: read by channels_redis itself, within its rules."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import msgpack
import pytest
from awxfast._rust import EntryFormat
from awxfast.redis.connection import RedisConnection
from awxfast.redis.group_writer import MAX_BATCH_BYTES, MAX_BATCH_EVENTS, Event, GroupWriter
from awxfast.redis.login import open_connection
from awxfast.redis.whole_group_writer import WholeGroupWriter, make_group_writer, split_entries
from awxfast.settings import LayerSettings
from awxfast.wire.entry_bodies import make_entry_format
from channels_redis.core import RedisChannelLayer
from redis_servers import RedisServer

OPTIONS: dict[str, dict[str, Any]] = {
    "encrypted": {"symmetric_encryption_keys": ["new", "old"]},
    "json": {"serializer_format": "json"},
    "both": {"serializer_format": "json", "symmetric_encryption_keys": ["new"], "random_prefix_length": 0},
}


@pytest.fixture(params=OPTIONS)
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    return OPTIONS[request.param]


@pytest.fixture
async def connection(redis_server: RedisServer) -> AsyncIterator[RedisConnection]:
    opened = await open_connection(redis_server.address)
    yield opened
    opened.close()


@pytest.fixture
async def stock(redis_server: RedisServer, options: dict[str, Any]) -> AsyncIterator[RedisChannelLayer]:
    layer = RedisChannelLayer(hosts=[redis_server.url], capacity=10_000, **options)
    yield layer
    await layer.close_pools()


def make_writer(options: dict[str, Any], own: str = "", **more: Any) -> GroupWriter:
    keys = [key.encode() for key in options.get("symmetric_encryption_keys", ())]
    rest = {name: value for name, value in options.items() if name != "symmetric_encryption_keys"}
    layer = LayerSettings(**{"group_expiry": 86_400, **rest, **more})
    return make_group_writer(layer, make_entry_format(layer, keys), own)


class TestReaders:
    async def test_stock_consumers_receive_the_text_in_each_channel(
        self, connection: RedisConnection, stock: RedisChannelLayer, options: dict[str, Any]
    ) -> None:
        channels = [await stock.new_channel() for _ in range(3)]
        for channel in channels:
            await stock.group_add("jobs-summary", channel)
        sent = await make_writer(options).send(connection, [Event("jobs-summary", "hé".encode())], time.time())
        assert (sent.taken, sent.full) == ([1], 0)
        received = await asyncio.gather(*(stock.receive(channel) for channel in channels))
        assert received == [{"type": "internal.message", "text": "hé"}] * 3

    async def test_batch_keeps_its_order_over_several_scripts_and_when_the_clock_steps_back(
        self, connection: RedisConnection, stock: RedisChannelLayer, options: dict[str, Any]
    ) -> None:
        channel = await stock.new_channel()
        await stock.group_add("a-1", channel)
        writer, now = make_writer(options), time.time()
        texts = [str(number) for number in range(600)]
        for start, clock in ((0, now), (300, now - 30)):
            await writer.send(connection, [Event("a-1", text.encode()) for text in texts[start : start + 300]], clock)
        assert [(await stock.receive(channel))["text"] for _ in texts] == texts


class TestRules:
    async def test_own_queue_is_left_out_and_nobodys_group_costs_nothing(
        self, connection: RedisConnection, redis_server: RedisServer, options: dict[str, Any]
    ) -> None:
        writer = make_writer(options, own="specific.own!")
        with redis_server.client() as client:
            client.zadd("asgi:group:a-1", {"specific.own!g.a-1": time.time(), "specific.other!x": time.time()})
            client.zadd("asgi:group:a-2", {"specific.own!g.a-2": time.time()})
            groups = ["a-1", "a-2", "a-3"]
            heard = await writer.find_heard(connection, groups, time.time())
            assert heard == {"a-1": True, "a-2": False, "a-3": False}
            sent = await writer.send(connection, [Event(group, b"{}") for group in groups], time.time())
            assert (sent.taken, sent.full) == ([1, 0, 0], 0)
            assert client.keys("asgispecific*") == [b"asgispecific.other!"]

    async def test_members_are_asked_for_anew_with_each_batch(
        self, connection: RedisConnection, redis_server: RedisServer, options: dict[str, Any]
    ) -> None:
        writer = make_writer(options)
        with redis_server.client() as client:
            await writer.find_heard(connection, ["a-1"], time.time())
            assert (await writer.send(connection, [Event("a-1", b"{}")], time.time())).taken == [0]
            client.zadd("asgi:group:a-1", {"specific.a!x": time.time()})
            assert (await writer.send(connection, [Event("a-1", b"{}")], time.time())).taken == [1]

    async def test_full_queue_keeps_its_old_events_and_expires(
        self, connection: RedisConnection, redis_server: RedisServer, options: dict[str, Any]
    ) -> None:
        with redis_server.client() as client:
            client.zadd("asgi:group:a-1", {"specific.a!x": time.time()})
            client.zadd("asgispecific.a!", {"old": time.time() - 100})
            events = [Event("a-1", str(number).encode()) for number in range(5)]
            sent = await make_writer(options, capacity=3).send(connection, events, time.time())
            assert (sent.taken, sent.full) == ([1, 1, 1, 0, 0], 2)
            assert client.zcard("asgispecific.a!") == 3
            assert 0 < client.ttl("asgispecific.a!") <= 60

    async def test_key_of_another_type_or_name_that_is_none_spoils_nothing_else(
        self, connection: RedisConnection, redis_server: RedisServer, options: dict[str, Any]
    ) -> None:
        with redis_server.client() as client:
            client.set("asgi:group:bad-1", "text")
            client.zadd("asgi:group:bad-2", {"specific.b!x": time.time()})
            client.set("asgispecific.b!", "text")
            client.zadd("asgi:group:a-1", {"specific.a!x": time.time(), b"\xff!x": time.time()})
            events = [Event("bad-1", b"{}"), Event("bad-2", b"{}"), Event("a-1", b"{}")]
            sent = await make_writer(options).send(connection, events, time.time())
        assert (sent.taken, sent.full) == ([0, 0, 1], 1)

    def test_no_script_is_given_more_than_redis_may_stand_still_for(self) -> None:
        small = [("a!", 1.0, b"x")] * (MAX_BATCH_EVENTS + 1)
        assert [len(part) for part in split_entries(small)] == [MAX_BATCH_EVENTS, 1]
        large = [("a!", 1.0, bytes(MAX_BATCH_BYTES)), *small[:2], ("a!", 1.0, bytes(MAX_BATCH_BYTES // 2))]
        assert [len(part) for part in split_entries(large)] == [1, 3]
        assert list(split_entries([])) == []


class TestCommands:
    async def test_told_messages_arrive_in_order_and_so_do_prepared_commands(
        self, connection: RedisConnection, stock: RedisChannelLayer, options: dict[str, Any]
    ) -> None:
        channel = await stock.new_channel()
        await stock.group_add("a-1", channel)
        writer = make_writer(options)
        for number in range(3):
            messages = [{"type": "a", "n": 2 * number}, {"type": "a", "n": 2 * number + 1}]
            writer.tell(connection.commands, "a-1", messages, time.time())
        assert [(await stock.receive(channel))["n"] for _ in range(6)] == [*range(6)]
        commands = await writer.under("asgi").commands(connection, "a-1", [{"type": "a", "n": 7}], time.time())
        await connection.commands(commands)
        assert (await stock.receive(channel))["n"] == 7

    async def test_nothing_is_sent_to_nobody(self, connection: RedisConnection, options: dict[str, Any]) -> None:
        assert await make_writer(options).commands(connection, "a-1", [{"type": "a"}], time.time()) == []


class TestKeys:
    async def test_first_key_encrypts_also_once_it_is_another(
        self, connection: RedisConnection, redis_server: RedisServer
    ) -> None:
        layer = LayerSettings()
        entry_format = make_entry_format(layer, [b"old"])
        writer = make_group_writer(layer, entry_format)
        stock = RedisChannelLayer(hosts=[redis_server.url], symmetric_encryption_keys=["new"])
        channel = await stock.new_channel()
        await stock.group_add("a-1", channel)
        entry_format.accept_keys([b"new", b"old"])
        await writer.send(connection, [Event("a-1", b"x")], time.time())
        assert (await stock.receive(channel))["text"] == "x"
        await stock.close_pools()

    def test_plain_msgpack_is_left_to_redis(self) -> None:
        assert not isinstance(make_group_writer(LayerSettings(), EntryFormat()), WholeGroupWriter)


class TestLists:
    async def test_encrypted_entries_of_a_list_are_in_order_and_within_capacity(
        self, connection: RedisConnection, redis_server: RedisServer
    ) -> None:
        layer = LayerSettings(layer="lists", prefix="asgi:", random_prefix_length=0, capacity=2)
        entry_format = make_entry_format(layer, [b"key"])
        with redis_server.client() as client:
            client.zadd("asgi::group:a-1", {"specific.a!x": time.time()})
            events = [Event("a-1", str(number).encode()) for number in range(3)]
            sent = await make_group_writer(layer, entry_format).send(connection, events, time.time())
            entries = [entry_format.open(entry) for entry in reversed(client.lrange("asgi:specific.a!", 0, -1))]
        assert (sent.taken, sent.full) == ([1, 1, 0], 1)
        assert [msgpack.unpackb(entry)["text"] for entry in entries] == ["0", "1"]
