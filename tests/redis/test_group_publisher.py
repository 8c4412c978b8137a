"""Events published for others: read by channels_redis' own pub/sub layer, in order."""

import asyncio
import dataclasses
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from awxfast.errors import RedisReplyError
from awxfast.redis.connection import RedisConnection
from awxfast.redis.group_publisher import GroupPublisher
from awxfast.redis.group_writer import Event
from awxfast.redis.login import open_connection
from awxfast.settings import default_layer
from awxfast.wire.entry_bodies import make_entry_format, unpack_body
from channels_redis.pubsub import RedisPubSubChannelLayer
from redis_servers import HANG, RedisServer

LAYER = default_layer("pubsub")
FORMAT = make_entry_format(LAYER)
VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "channel-layer-vectors.json").read_text())["pubsub"]


@pytest.fixture
async def connection(redis_server: RedisServer) -> AsyncIterator[RedisConnection]:
    opened = await open_connection(redis_server.address)
    yield opened
    opened.close()


@pytest.fixture
async def stock(redis_server: RedisServer) -> AsyncIterator[RedisPubSubChannelLayer]:
    layer = RedisPubSubChannelLayer(hosts=[redis_server.url])
    yield layer
    await layer.flush()


async def join(stock: RedisPubSubChannelLayer, connection: RedisConnection, group: str) -> str:
    """A channel of a stock process in a group; that subscribes without waiting for the answer."""
    channel: str = await stock.new_channel()
    await stock.group_add(group, channel)
    async with asyncio.timeout(HANG):
        while not (await connection.command("PUBSUB", "NUMSUB", f"asgi__group__{group}"))[1]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return channel


class TestReaders:
    async def test_stock_consumer_receives_the_texts_in_order(
        self, connection: RedisConnection, stock: RedisPubSubChannelLayer
    ) -> None:
        channel = await join(stock, connection, "job_events-1")
        events = [Event("job_events-1", b"%d" % number) for number in range(50)]
        sent = await GroupPublisher(LAYER, FORMAT).send(connection, events, time.time())
        assert (sent.taken, sent.full) == ([1] * 50, 0)
        texts = [await stock.receive(channel) for _ in range(50)]
        assert texts == [{"type": "internal.message", "text": str(number)} for number in range(50)]

    @pytest.mark.parametrize("vector", [one for one in VECTORS if "layer" not in one and one["op"] == "group_send"])
    def test_bytes_are_those_of_stock(self, vector: dict) -> None:
        said: list = []
        GroupPublisher(LAYER, FORMAT).tell(said.extend, vector["target"], [vector["decoded"]], 0.0)
        assert said == [("PUBLISH", vector["redis_channel"], bytes.fromhex(vector["payload_hex"]))]

    @pytest.mark.parametrize("vector", [one for one in VECTORS if "layer" in one])
    def test_bytes_of_stock_are_read_however_they_are_written(self, vector: dict) -> None:
        layer = dataclasses.replace(LAYER, serializer_format=vector["layer"].get("serializer_format", "msgpack"))
        keys = [key.encode() for key in vector["layer"].get("symmetric_encryption_keys", [])]
        body = make_entry_format(layer, keys).open(bytes.fromhex(vector["payload_hex"]))
        assert unpack_body(layer.serializer_format, body) == vector["decoded"]


class TestTakers:
    async def test_who_hears_is_known_without_ourselves(
        self, connection: RedisConnection, stock: RedisPubSubChannelLayer
    ) -> None:
        for group in ("both", "they"):
            await join(stock, connection, group)
        publisher = GroupPublisher(LAYER, FORMAT, "specific.x!", {"both", "we"}.__contains__)
        await connection.command("PING")
        heard = await publisher.find_heard(connection, ["both", "they", "nobody"], time.time())
        assert heard == {"both": False, "they": True, "nobody": False}  # stock alone is subscribed to `both` here
        sent = await publisher.send(connection, [Event("they", b"x"), Event("nobody", b"x")], time.time())
        assert sent.taken == [1, 0]

    @pytest.mark.parametrize("joined", [[False, True], [True, False]])
    async def test_who_hears_is_known_also_while_we_join_or_leave(
        self, connection: RedisConnection, stock: RedisPubSubChannelLayer, joined: list[bool]
    ) -> None:
        """Redis' count may or may not have us."""
        await join(stock, connection, "a")
        publisher = GroupPublisher(LAYER, FORMAT, "specific.x!", lambda _: joined.pop(0))
        assert await publisher.find_heard(connection, ["a"], time.time()) == {"a": True}

    async def test_passed_on_event_names_who_has_it(
        self, connection: RedisConnection, stock: RedisPubSubChannelLayer
    ) -> None:
        channel = await join(stock, connection, "a")
        await GroupPublisher(LAYER, FORMAT, "specific.x!").send(connection, [Event("a", b"x")], time.time())
        assert (await stock.receive(channel))["__awxfast_from__"] == "specific.x!"

    async def test_refusal_is_raised(self, redis_server: RedisServer) -> None:
        with redis_server.client() as client:
            client.execute_command("ACL", "SETUSER", "mute", "on", ">secret", "+@all", "resetchannels")
        address = f"unix://mute:secret@{redis_server.socket}"
        opened = await open_connection(type(redis_server.address).parse(address))
        with pytest.raises(RedisReplyError, match="NOPERM"):
            await GroupPublisher(LAYER, FORMAT).send(opened, [Event("a", b"x")], time.time())
        opened.close()
