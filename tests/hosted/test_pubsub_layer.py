"""The hosted pub/sub layer beside the stock one: the same calls, the same observations, and each with the other."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from awxfast._rust import Fanout
from awxfast.hosted.channel_table import ChannelTable
from awxfast.hosted.pubsub_layer import HostedPubSubLayer
from awxfast.intake.host_intakes import open_intake
from awxfast.settings import default_layer
from awxfast.wire.entry_bodies import make_entry_format
from awxfast.wire.host_choice import choose_host
from channels_redis.pubsub import RedisPubSubChannelLayer
from hosted_layers import PlayedSession
from redis_servers import HANG, RedisServer

MESSAGE = {"type": "chat.message", "text": "Привет", "numbers": [1, -2, 2**40, 1.5, None, True], "raw": b"\x00\xff"}
EVENT = {"type": "internal.message", "text": "event"}


class HostedPubSub:
    """The layer of one process, from Redis to sockets."""

    def __init__(self, servers: Sequence[RedisServer], direct: tuple[str, ...] = ()) -> None:
        layer = default_layer("pubsub")
        self.fanout = Fanout(direct_types=direct, consumers=True, entry_format=make_entry_format(layer))
        self.table = ChannelTable(self.fanout, capacity=100, direct=bool(direct))
        addresses = [server.address for server in servers]
        self.intake = open_intake(layer, addresses, self.table, has_channels=True)
        self.table.connect(self.intake.subscriptions)
        configuration = {"hosts": [server.url for server in servers], "capacity": 7}
        tokens = [part.names.token for part in self.intake.parts]
        self.layer = HostedPubSubLayer(self.table, tokens, asyncio.get_running_loop(), configuration)

    async def stop(self) -> None:
        await self.layer.close_pools()
        await self.intake.stop()
        self.fanout.stop()
        assert self.fanout.ledger()["balance"] == {"events": 0, "frames": 0}


@pytest.fixture(params=[1, 3])
def servers(request: pytest.FixtureRequest, three_redis: list[RedisServer]) -> list[RedisServer]:
    """Each test runs with one Redis, and with several."""
    return three_redis[: request.param]


@pytest.fixture
async def start(servers: list[RedisServer]) -> AsyncIterator[Callable[..., Any]]:
    started: list[HostedPubSub] = []

    async def begin(*direct: str) -> HostedPubSub:
        started.append(HostedPubSub(servers, direct))
        await started[-1].intake.start()
        return started[-1]

    yield begin
    for one in started:
        await one.stop()


@pytest.fixture
async def ours(start: Callable[..., Any]) -> HostedPubSub:
    made: HostedPubSub = await start()
    return made


@pytest.fixture
async def theirs(servers: list[RedisServer]) -> AsyncIterator[RedisPubSubChannelLayer]:
    """The layer of a stock process."""
    layer = RedisPubSubChannelLayer(hosts=[server.url for server in servers])
    yield layer
    await layer.flush()


@pytest.fixture(params=["ours", "theirs"])
def layer(request: pytest.FixtureRequest, servers: list[RedisServer]) -> Any:
    """Each test runs with both."""
    found = request.getfixturevalue(request.param)
    return found.layer if isinstance(found, HostedPubSub) else found


async def receive(layer: Any, channel: str) -> dict[str, Any]:
    async with asyncio.timeout(HANG):
        message: dict[str, Any] = await layer.receive(channel)
        return message


class TestChannels:
    async def test_channel_receives_what_was_sent_in_order(self, layer: Any) -> None:
        channel = await layer.new_channel()
        for number in range(20):
            await layer.send(channel, MESSAGE | {"number": number})
        assert [await receive(layer, channel) for _ in range(20)] == [MESSAGE | {"number": n} for n in range(20)]

    async def test_names_have_the_stock_form(self, layer: Any) -> None:
        names = {await layer.new_channel() for _ in range(50)}
        assert len(names) == 50
        for name in names:
            assert name.startswith("asgispecific.")
            assert len(bytes.fromhex(name.removeprefix("asgispecific."))) == 16

    async def test_channel_of_another_prefix_works(self, layer: Any) -> None:
        channel = await layer.new_channel("other")
        assert channel.startswith("asgiother")
        await layer.send(channel, MESSAGE)
        assert await receive(layer, channel) == MESSAGE

    async def test_message_to_a_channel_in_the_other_kind_of_process_arrives(
        self, ours: HostedPubSub, theirs: RedisPubSubChannelLayer
    ) -> None:
        there, here = await theirs.new_channel(), await ours.layer.new_channel()
        await ours.layer.send(there, MESSAGE)
        await theirs.send(here, MESSAGE)
        assert await receive(theirs, there) == MESSAGE
        assert await receive(ours.layer, here) == MESSAGE


class TestGroups:
    async def test_all_members_get_a_copy_and_others_nothing(self, layer: Any) -> None:
        first, second, third = [await layer.new_channel() for _ in range(3)]
        for channel in (first, second):
            await layer.group_add("räume:1", channel)
        await layer.group_send("räume:1", MESSAGE)
        await layer.send(third, {"type": "end"})
        assert await receive(layer, first) == MESSAGE
        assert await receive(layer, second) == MESSAGE
        assert await receive(layer, third) == {"type": "end"}

    async def test_who_left_gets_nothing(self, layer: Any) -> None:
        stays, leaves = await layer.new_channel(), await layer.new_channel()
        await layer.group_add("room", stays)
        await layer.group_add("room", leaves)
        await layer.group_discard("room", leaves)
        await layer.group_discard("room", leaves)
        await layer.group_send("room", MESSAGE)
        await layer.send(leaves, {"type": "end"})
        assert await receive(layer, stays) == MESSAGE
        assert await receive(layer, leaves) == {"type": "end"}

    async def test_flush_ends_memberships(self, layer: Any) -> None:
        channel = await layer.new_channel()
        await layer.group_add("room", channel)
        await layer.flush()
        after = await layer.new_channel()
        await layer.group_send("room", MESSAGE)
        await layer.send(after, {"type": "end"})
        assert await receive(layer, after) == {"type": "end"}

    async def test_channel_of_another_process_is_refused(self, layer: Any) -> None:
        with pytest.raises(RuntimeError, match="in-process"):
            await layer.group_add("room", "asgispecific." + "0" * 32)

    async def test_both_kinds_of_process_hear_one_group(
        self, ours: HostedPubSub, theirs: RedisPubSubChannelLayer
    ) -> None:
        there, here = await theirs.new_channel(), await ours.layer.new_channel()
        await theirs.group_add("room", there)
        await ours.layer.group_add("room", here)
        for sender in (ours.layer, theirs):
            await sender.group_send("room", MESSAGE)
            assert await receive(theirs, there) == MESSAGE
            assert await receive(ours.layer, here) == MESSAGE

    async def test_calls_from_another_loop_work(self, ours: HostedPubSub) -> None:
        channel = await ours.layer.new_channel()

        async def work() -> None:
            await ours.layer.group_add("room", channel)
            await ours.layer.group_send("room", MESSAGE)
            await ours.layer.close_pools()

        thread = threading.Thread(target=lambda: asyncio.run(work()))
        thread.start()
        assert await receive(ours.layer, channel) == MESSAGE
        await asyncio.to_thread(thread.join)


class TestSockets:
    async def test_direct_message_reaches_the_socket_and_no_handler(
        self, start: Callable[..., Any], theirs: RedisPubSubChannelLayer
    ) -> None:
        direct = await start("internal.message")
        session = PlayedSession(direct.fanout)
        try:
            session.enter()
            channel = await direct.layer.new_channel()
            await direct.layer.group_add("job_events-1", channel)
            session.accept()
            await theirs.group_send("job_events-1", EVENT)
            assert await session.receive_text() == "event"
            await theirs.group_send("job_events-1", MESSAGE)
            assert await receive(direct.layer, channel) == MESSAGE
        finally:
            session.end()

    async def test_message_that_does_not_decode_is_counted_and_costs_nobody(
        self, ours: HostedPubSub, theirs: RedisPubSubChannelLayer, servers: list[RedisServer]
    ) -> None:
        channel = await ours.layer.new_channel()
        await ours.layer.group_add("room", channel)
        with servers[choose_host("asgi__group__room", len(servers))].client() as client:
            client.publish("asgi__group__room", b"\xc1")
        await theirs.group_send("room", MESSAGE)
        assert await receive(ours.layer, channel) == MESSAGE
        assert ours.fanout.ledger()["events"]["rejected"]["malformed"] == 1

    async def test_ended_session_leaves_redis(self, ours: HostedPubSub, servers: list[RedisServer]) -> None:
        session = PlayedSession(ours.fanout)
        session.enter()
        channel = await ours.layer.new_channel()
        await ours.layer.group_add("room", channel)
        session.end()
        with servers[choose_host("asgi__group__room", len(servers))].client() as client:
            async with asyncio.timeout(HANG):
                while client.pubsub_numsub("asgi__group__room")[0][1]:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
