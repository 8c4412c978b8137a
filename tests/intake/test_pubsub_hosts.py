"""The intake of a pub/sub layer with several Redis and unmodified producers: a connection for each, for one taker."""

import asyncio
import contextlib
import os
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from awxfast.errors import RedisUnavailable
from awxfast.intake.event_intake import EventIntake, describe_intake
from awxfast.intake.host_intakes import open_intake
from awxfast.intake.pubsub_hosts import PubSubHosts
from awxfast.redis.push_connection import PushConnection
from awxfast.settings import default_layer
from channels_redis.pubsub import RedisPubSubChannelLayer
from redis_servers import HANG, RedisServer, group_published_on
from remembering_fanout import RememberingFanout, eventually

LAYER = default_layer("pubsub")
BACKPLANE = "broadcast-group_send"
GROUPS = [group_published_on(host) for host in range(3)]
LONG = [group_published_on(host, name="x" * 120) for host in range(3)]
TOKEN = "0" * 32


@contextlib.asynccontextmanager
async def started(
    servers: Sequence[RedisServer], fanout: RememberingFanout, announce_in: str | None = None, **options: Any
) -> AsyncIterator[PubSubHosts]:
    intake = open_intake(LAYER, [server.address for server in servers], fanout, announce_in, **options)
    assert isinstance(intake, PubSubHosts)
    try:
        await intake.start()
        yield intake
    finally:
        await intake.stop()


@pytest.fixture
async def producer(three_redis: list[RedisServer]) -> AsyncIterator[RedisPubSubChannelLayer]:
    layer = RedisPubSubChannelLayer(hosts=[server.url for server in three_redis])
    yield layer
    await layer.flush()


async def send(producer: RedisPubSubChannelLayer, groups: Sequence[str], first: int, count: int) -> None:
    for number in range(first, first + count):
        for group in groups:
            await producer.group_send(group, {"type": "internal.message", "text": str(number)})


def texts_of(fanout: RememberingFanout, group: str) -> list[str]:
    """Of the events that came for a group."""
    named = zip(fanout.pushed, fanout.pushed_texts(), strict=True)
    return [text for (_, name, _), text in named if name.decode() == group]


def channels_on(server: RedisServer) -> set[str]:
    """Those of Redis' channels that somebody is subscribed to, but for sentinels'."""
    with server.client() as client:
        return {name.decode() for name in client.pubsub_channels() if b"awxfast-sentinel" not in name}


def cut(server: RedisServer) -> None:
    with server.client() as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")


class TestEvents:
    async def test_of_each_redis_arrive_in_order_from_unmodified_producers(
        self, three_redis: list[RedisServer], fanout: RememberingFanout, producer: RedisPubSubChannelLayer
    ) -> None:
        async with started(three_redis, fanout) as intake:
            await intake.hold([*GROUPS, *LONG])
            for server, group, long in zip(three_redis, GROUPS, LONG, strict=True):
                assert channels_on(server) == {f"asgi__group__{group}", f"asgi__group__{long}"}
            assert len(fanout.channels) == 6
            await send(producer, [*GROUPS, *LONG], 0, 20)
            await eventually(lambda: len(fanout.pushed) == 120)
            for group in (*GROUPS, *LONG):
                assert texts_of(fanout, group) == [str(number) for number in range(20)]
            intake.release([*GROUPS, *LONG])
            await eventually(lambda: not any(map(channels_on, three_redis)))
        assert not fanout.gaps
        assert [server.client().pubsub_channels() for server in three_redis] == [[], [], []]

    async def test_message_for_a_channel_of_ours_arrives_wherever_its_name_belongs(
        self, three_redis: list[RedisServer], fanout: RememberingFanout, producer: RedisPubSubChannelLayer
    ) -> None:
        async with started(three_redis, fanout, has_channels=True) as intake:
            names = [secrets.token_hex(8) for _ in range(90)]
            channels = [f"asgispecific.{intake.token[:16]}{name}" for name in names]
            assert {producer._get_shard(channel) for channel in channels} == {*producer._shards}
            for channel in channels:
                await producer.send(channel, {"type": "a"})
            await eventually(lambda: len(fanout.pushed) == 90)
        assert not any(is_group for is_group, _, _ in fanout.pushed)
        assert {name.decode() for _, name, _ in fanout.pushed} == {*names}


class TestOutage:
    async def test_one_that_is_away_stops_its_own_groups_and_is_a_gap_of_theirs_alone(
        self, three_redis: list[RedisServer], fanout: RememberingFanout, producer: RedisPubSubChannelLayer
    ) -> None:
        async with started(three_redis, fanout) as intake:
            await intake.hold([*GROUPS, LONG[1]])
            three_redis[1].kill()
            await eventually(lambda: not intake.ready)
            assert [part.ready for part in intake.parts] == [True, False, True]
            assert [host.up for host in describe_intake(intake).hosts.values()] == [True, False, True]
            await send(producer, [GROUPS[0], GROUPS[2]], 0, 10)
            await eventually(lambda: len(fanout.pushed) == 20)
            waiting = asyncio.create_task(intake.hold(["a", *GROUPS, *LONG]))
            await asyncio.sleep(0.1)
            assert not waiting.done()
            three_redis[1].start()
            await asyncio.wait_for(waiting, HANG)
            assert fanout.gaps == Counter(unsubscribed=2)
            await send(producer, GROUPS[1:2], 0, 10)
            await eventually(lambda: len(fanout.pushed) == 30)
            assert intake.repaired == 2

    async def test_cut_connection_is_a_bound_of_what_its_groups_lost(
        self, three_redis: list[RedisServer], fanout: RememberingFanout, producer: RedisPubSubChannelLayer
    ) -> None:
        async with started(three_redis, fanout) as intake:
            await intake.hold(GROUPS)
            for round_ in range(5):
                cut(three_redis[2])
                await send(producer, GROUPS, 100 * round_, 100)
                await eventually(lambda round_=round_: fanout.gaps["unsubscribed"] == round_ + 1)
            for group in GROUPS[:2]:
                await eventually(lambda group=group: texts_of(fanout, group) == [*map(str, range(500))])
        lost = 1500 - len(fanout.pushed)
        assert 0 < lost <= sum(size for _, size in fanout.gap_sizes)

    async def test_at_start_keeps_nobody_from_the_others(
        self, three_redis: list[RedisServer], fanout: RememberingFanout
    ) -> None:
        three_redis[2].kill()
        async with started(three_redis, fanout) as intake:
            assert [part.ready for part in intake.parts] == [True, True, False]
            with pytest.raises(RedisUnavailable, match=str(three_redis[2].url)):
                await intake.rest(1, HANG)
            await intake.end_rest()
            await asyncio.wait_for(intake.hold(GROUPS[:2]), HANG)


class TestNextProcess:
    @pytest.mark.parametrize("servers", [[0, 1, 2], [2, 1, 0], [0, 1], [0]])
    async def test_goes_on_with_the_connections_if_it_has_the_same_redis_and_counts_else(
        self,
        three_redis: list[RedisServer],
        fanout: RememberingFanout,
        servers: list[int],
    ) -> None:
        is_same = servers == [0, 1, 2]
        hosts = [three_redis[host] for host in servers]
        former = open_intake(LAYER, [server.address for server in three_redis], fanout, token=TOKEN)
        await former.start()
        await former.hold([*GROUPS, *LONG])
        before, after = (RedisPubSubChannelLayer(hosts=[one.url for one in some]) for some in (three_redis, hosts))
        await former.rest(1, HANG)
        await send(before, GROUPS, 0, 100)
        frozen, descriptors = former.freeze(), [os.dup(one) for one in former.descriptors]
        assert len(descriptors) == 3
        await asyncio.gather(*former.abandon(), return_exceptions=True)
        heir = open_intake(LAYER, [server.address for server in hosts], fanout, token=former.token)
        heir.inherit(frozen, descriptors)
        heir.hold_inherited([*GROUPS, *LONG])
        heir.end_inheritance()
        await heir.start()
        await send(after, GROUPS, 100, 1)
        for group in GROUPS:
            await eventually(lambda group=group: texts_of(fanout, group)[-1:] == ["100"])
            assert len(texts_of(fanout, group)) == (101 if is_same else 1)
        assert fanout.gaps == (Counter() if is_same else Counter(unsubscribed=6))
        await heir.stop()
        await before.flush()
        await after.flush()
        assert not any(map(channels_on, three_redis))

    async def test_connection_that_can_not_be_passed_on_is_a_gap_of_its_groups_alone(
        self,
        three_redis: list[RedisServer],
        fanout: RememberingFanout,
        producer: RedisPubSubChannelLayer,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        former = open_intake(LAYER, [server.address for server in three_redis], fanout, token=TOKEN)
        assert isinstance(former, PubSubHosts)
        await former.start()
        await former.hold(GROUPS)
        await former.rest(1, HANG)
        kept_back, real = former.parts[1].subscriber.connection, PushConnection.descriptor.fget
        speaks_tls = property(lambda one: None if one is kept_back else real(one))  # as if this one did
        monkeypatch.setattr(PushConnection, "descriptor", speaks_tls)
        frozen, descriptors = former.freeze(), [os.dup(one) for one in former.descriptors]
        monkeypatch.undo()
        await asyncio.gather(*former.abandon(), return_exceptions=True)
        heir = open_intake(LAYER, [server.address for server in three_redis], fanout, token=former.token)
        heir.inherit(frozen, descriptors)
        heir.hold_inherited(GROUPS)
        await heir.start()
        await send(producer, GROUPS, 0, 1)
        await eventually(lambda: len(fanout.pushed) == 3)
        assert fanout.gaps == Counter(unsubscribed=1)
        await heir.stop()


class TestAnnouncements:
    """Other nodes hear of groups on every Redis, in the backplane's group on one."""

    async def test_are_heard_in_their_order_and_again_when_that_redis_is_back(
        self, three_redis: list[RedisServer], fanout: RememberingFanout, producer: RedisPubSubChannelLayer
    ) -> None:
        channel = await producer.new_channel()
        await producer.group_add(BACKPLANE, channel)
        async with started(three_redis, fanout, BACKPLANE) as intake:
            for group in GROUPS:
                await intake.hold([group])
                assert await hear(producer, channel) == ("consumer.subscribe", [group])
            assert await list_interest(intake) == sorted(GROUPS)
            home = producer._shards.index(producer._get_shard(f"asgi__group__{BACKPLANE}"))
            with three_redis[home].client(single_connection_client=True) as client:
                client.client_kill_filter(_type="normal", skipme=True)
            heard = [await hear(producer, channel) for _ in GROUPS]
            assert sorted(heard) == sorted(("consumer.subscribe", [group]) for group in GROUPS)
            intake.release(GROUPS[:1])
            assert await hear(producer, channel) == ("consumer.unsubscribe", GROUPS[:1])
        told = [await hear(producer, channel) for _ in range(2)]
        assert sorted(told) == sorted(("consumer.unsubscribe", [group]) for group in GROUPS[1:])


async def hear(listener: RedisPubSubChannelLayer, channel: str) -> tuple[str, list[str]]:
    message = await asyncio.wait_for(listener.receive(channel), HANG)
    return message["type"], message["groups"]


async def list_interest(intake: EventIntake) -> list[str]:
    await intake.wait_registered()
    return sorted([group async for notice in intake.list_interest() for group in notice.groups])
