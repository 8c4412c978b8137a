"""Events of other nodes on their way into Redis: in order, bounded, each accounted for whatever Redis does."""

import asyncio
import time
from collections.abc import AsyncIterator

import msgpack
import pytest
from awxfast.broadcast.local_redis import GroupSender
from awxfast.redis import event_writer
from awxfast.redis.reconnect import Outages
from awxfast.settings import LayerSettings, default_layer
from awxfast.wire.entry_bodies import make_entry_format
from channels_redis.core import RedisChannelLayer
from peer_server import HANG, until
from redis_servers import RedisServer


class Running:
    def __init__(self, server: RedisServer, layer: LayerSettings) -> None:
        hosts = [(server.address, Outages(server.address), "")]
        self.sender = GroupSender(layer, make_entry_format(layer), hosts)
        self.task = asyncio.create_task(self.sender.run())

    def balance(self) -> int:
        sender = self.sender
        done = sender.written + sender.unheard + sum(sender.dropped.values())
        return sender.received - done - sender.pending


@pytest.fixture
async def running(redis_server: RedisServer) -> AsyncIterator[Running]:
    running = Running(redis_server, LayerSettings(group_expiry=86_400))
    await running.sender.wait_up()
    yield running
    running.task.cancel()
    await asyncio.gather(running.task, return_exceptions=True)
    assert running.balance() == 0


@pytest.fixture
async def layer(redis_server: RedisServer) -> AsyncIterator[RedisChannelLayer]:
    stock = RedisChannelLayer(hosts=[redis_server.url], capacity=10_000)
    yield stock
    await stock.close_pools()


async def until_idle(running: Running) -> None:
    await until(lambda: not running.sender.pending)


class TestLists:
    async def test_more_than_a_batch_arrives_in_order(self, redis_server: RedisServer) -> None:
        running = Running(redis_server, default_layer("lists"))
        sender = running.sender
        with redis_server.client() as client:
            client.zadd("asgi::group:a", {"specific.x!a": time.time()})
            for number in range(600):
                sender.send("a", str(number).encode())
            sender.send("nobody", b"")
            await until(lambda: not sender.pending and sender.unheard)
            entries = [msgpack.unpackb(entry) for entry in reversed(client.lrange("asgi:specific.x!", 0, -1))]
        running.task.cancel()
        await asyncio.gather(running.task, return_exceptions=True)
        assert [entry["text"] for entry in entries] == [str(number) for number in range(600)]
        assert entries[0]["__asgi_channel__"] == ["specific.x!a"]
        assert (sender.written, sender.unheard) == (600, 1)


class TestEvents:
    async def test_more_than_a_batch_arrives_in_order(self, running: Running, layer: RedisChannelLayer) -> None:
        channel = await layer.new_channel()
        await layer.group_add("a-1", channel)
        for number in range(1000):
            running.sender.send("a-1", str(number).encode())
        texts = [(await layer.receive(channel))["text"] for _ in range(1000)]
        assert texts == [str(number) for number in range(1000)]
        await until_idle(running)
        assert running.sender.written == 1000

    async def test_event_that_nobody_hears_stays_here(self, running: Running, redis_server: RedisServer) -> None:
        running.sender.send("a-1", b"{}")
        await until_idle(running)
        assert (running.sender.unheard, running.sender.written) == (1, 0)
        with redis_server.client() as client:
            assert client.dbsize() == 0

    async def test_queue_is_bounded_by_events(self, running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(event_writer, "QUEUE_EVENTS", 10)
        for number in range(15):
            running.sender.send("a-1", str(number).encode())
        assert running.sender.pending == 10
        assert running.sender.dropped["queue_full"] == 5

    async def test_queue_is_bounded_by_bytes(self, running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(event_writer, "QUEUE_BYTES", 100)
        for _ in range(5):
            running.sender.send("a-1", bytes(40))
        assert running.sender.queued_bytes == 80

    async def test_redis_that_refuses_is_said_once(
        self, running: Running, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        with redis_server.client() as client:
            client.zadd("asgi:group:a-1", {"specific.a!x": 2e9})
            client.execute_command("REPLICAOF", "127.0.0.1", "1")  # read-only from now on
        for _ in range(3):
            running.sender.send("a-1", b"{}")
            await until_idle(running)
        assert running.sender.dropped["refused"] == 3
        assert len(caplog.records) == 1
        with redis_server.client() as client:
            client.execute_command("REPLICAOF", "NO", "ONE")
        running.sender.send("a-1", b"{}")
        await until(lambda: running.sender.up and running.sender.pending == 0)
        assert running.sender.dropped["refused"] == 3


class TestOutage:
    async def test_events_wait_for_redis(self, running: Running, redis_server: RedisServer) -> None:
        redis_server.kill()
        await until(lambda: not running.sender.up)
        for _ in range(3):
            running.sender.send("a-1", b"{}")
        running.sender.store("key", "value")
        assert running.sender.pending == 3
        await asyncio.to_thread(redis_server.start)
        await until_idle(running)
        assert running.sender.unheard == 3
        with redis_server.client() as client:
            await until(lambda: client.get("key") == b"value")


class TestValues:
    async def test_last_value_of_a_key_counts(self, running: Running, redis_server: RedisServer) -> None:
        for value in ("one", "two"):
            running.sender.store("key", value)
        await running.sender.drained(HANG)
        with redis_server.client() as client:
            assert client.get("key") == b"two"
            assert client.ttl("key") == -1
