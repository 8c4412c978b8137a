"""The intake of a layer with several Redis, with unmodified producers: each Redis by itself, all for one taker."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import pytest
from awxfast.errors import ConfigurationError, RedisUnavailable
from awxfast.intake.event_intake import EventIntake, describe_intake
from awxfast.intake.host_intakes import HostIntakes, open_intake
from awxfast.intake.intake import Intake
from awxfast.redis.address import RedisAddress
from awxfast.settings import Settings
from awxfast.wire.group_send import ADDRESSEES
from awxfast.wire.host_choice import MOST_HOSTS, choose_host
from channels_redis.core import RedisChannelLayer
from failing_disk import fail_to_save
from redis_servers import HANG, RedisServer, group_on
from remembering_fanout import RememberingFanout, eventually

BACKPLANE = "broadcast-group_send"
GROUPS = [group_on(host) for host in range(3)]
LONG = [group_on(host, name="x" * 60) for host in range(3)]
"""Names that no channel of ours can tell."""
MESSAGE = {"type": "internal.message", "text": "{}"}


@contextlib.asynccontextmanager
async def started(
    servers: Sequence[RedisServer], fanout: RememberingFanout, announce_in: str | None = None, token: str | None = None
) -> AsyncIterator[HostIntakes]:
    intake = open_intake(Settings(), [server.address for server in servers], fanout, announce_in, token=token)
    assert isinstance(intake, HostIntakes)
    try:
        await intake.start()
        yield intake
    finally:
        await intake.stop()


def texts_of(fanout: RememberingFanout, group: str) -> list[str]:
    """Of the events that came for a group."""
    locals_of = [message[ADDRESSEES][0].partition("!")[2] for message in fanout.messages()]
    return [text for local, text in zip(locals_of, fanout.texts(), strict=True) if fanout.channels[local] == group]


@pytest.fixture
async def producer(three_redis: list[RedisServer]) -> AsyncIterator[RedisChannelLayer]:
    layer = RedisChannelLayer(hosts=[server.url for server in three_redis], capacity=10_000)
    yield layer
    await layer.close_pools()


def keys_in(servers: Sequence[RedisServer]) -> list[bytes]:
    return [key for server in servers for key in server.client().keys("*")]


class TestEvents:
    async def test_of_each_redis_arrive_in_order_from_unmodified_producers(
        self,
        three_redis: list[RedisServer],
        fanout: RememberingFanout,
        producer: RedisChannelLayer,
    ) -> None:
        async with started(three_redis, fanout) as intake:
            await intake.hold([*GROUPS, *LONG])
            for number in range(20):
                for group in (*GROUPS, *LONG):
                    await producer.group_send(group, {**MESSAGE, "text": str(number)})
            await eventually(lambda: len(fanout.texts()) == 120)
            for group in (*GROUPS, *LONG):
                assert texts_of(fanout, group) == [str(number) for number in range(20)]
        assert keys_in(three_redis) == []

    async def test_one_redis_is_an_intake_of_its_own(
        self, redis_server: RedisServer, fanout: RememberingFanout
    ) -> None:
        assert isinstance(open_intake(Settings(), [redis_server.address], fanout), Intake)

    def test_more_than_anybody_has_are_refused(self, fanout: RememberingFanout) -> None:
        with pytest.raises(ConfigurationError, match=f"more than {MOST_HOSTS}"):
            open_intake(Settings(), [RedisAddress()] * (MOST_HOSTS + 1), fanout)


class TestOutage:
    async def test_one_that_is_away_stops_its_own_groups_and_comes_back(
        self,
        three_redis: list[RedisServer],
        fanout: RememberingFanout,
        producer: RedisChannelLayer,
    ) -> None:
        async with started(three_redis, fanout) as intake:
            await intake.hold(GROUPS)
            three_redis[1].kill()
            await eventually(lambda: not intake.ready)
            assert [part.ready for part in intake.parts] == [True, False, True]
            hosts = describe_intake(intake).hosts
            assert [host.up for host in hosts.values()] == [True, False, True]
            await producer.group_send(GROUPS[0], MESSAGE)
            await eventually(lambda: texts_of(fanout, GROUPS[0]) == ["{}"])
            three_redis[1].start()
            await eventually(lambda: intake.ready)
            await producer.group_send(GROUPS[1], MESSAGE)
            await eventually(lambda: texts_of(fanout, GROUPS[1]) == ["{}"])

    async def test_hold_waits_for_its_own_redis_alone(
        self,
        three_redis: list[RedisServer],
        fanout: RememberingFanout,
    ) -> None:
        async with started(three_redis, fanout) as intake:
            three_redis[1].kill()
            await eventually(lambda: not intake.ready)
            await asyncio.wait_for(intake.hold([GROUPS[0], GROUPS[2]]), HANG)
            waiting = asyncio.create_task(intake.hold(GROUPS))
            await asyncio.sleep(0.1)
            assert not waiting.done()
            three_redis[1].start()
            await asyncio.wait_for(waiting, HANG)

    async def test_hold_that_is_cancelled_holds_nothing(
        self,
        three_redis: list[RedisServer],
        fanout: RememberingFanout,
    ) -> None:
        async with started(three_redis, fanout) as intake:
            three_redis[1].kill()
            await eventually(lambda: not intake.ready)
            waiting = asyncio.create_task(intake.subscriptions.hold(GROUPS))
            await eventually(lambda: bool(three_redis[0].client().exists(f"asgi:group:{GROUPS[0]}")))
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            assert [part.groups.held for part in intake.parts] == [0, 0, 0]

    async def test_at_start_keeps_nobody_from_the_others(
        self,
        three_redis: list[RedisServer],
        fanout: RememberingFanout,
    ) -> None:
        three_redis[2].kill()
        async with started(three_redis, fanout) as intake:
            assert [part.ready for part in intake.parts] == [True, True, False]
            with pytest.raises(RedisUnavailable, match=str(three_redis[2].url)):
                await intake.rest(1, HANG)
            await intake.end_rest()
            assert await is_held_at_once(intake, GROUPS[:2])


class TestEnd:
    async def test_comes_also_where_the_backplanes_redis_has_just_begun_to_refuse(
        self, three_redis: list[RedisServer], fanout: RememberingFanout
    ) -> None:
        home = choose_host(BACKPLANE, 3)
        others = [server for host, server in enumerate(three_redis) if host != home]
        async with started(three_redis, fanout, BACKPLANE) as intake:
            await intake.hold(GROUPS)
            with three_redis[home].client() as client:
                fail_to_save(client)
        assert keys_in(others) == []


async def is_held_at_once(intake: HostIntakes, groups: list[str]) -> bool:
    """All or none, with nothing that anybody would have to wait for."""
    assert not intake.subscriptions.hold_at_once(groups)
    await intake.hold(groups[:1])
    assert not intake.subscriptions.hold_at_once(groups)
    await intake.hold(groups)
    return intake.subscriptions.hold_at_once(groups)


class TestNextProcess:
    @pytest.mark.parametrize("servers", [3, 2, 1])
    async def test_goes_on_with_groups_whatever_it_has_of_redis(
        self,
        three_redis: list[RedisServer],
        fanout: RememberingFanout,
        servers: int,
    ) -> None:
        async with started(three_redis, fanout, token="0" * 32) as first:
            await first.hold([*GROUPS, *LONG])
            await first.rest(1, HANG)
            frozen = first.freeze()
            assert first.rested_at > 0
            addresses = [server.address for server in three_redis[:servers]]
            heir = open_intake(Settings(), addresses, fanout, token="0" * 32)
            heir.inherit(frozen)
            heir.hold_inherited([*GROUPS, *LONG])
            heir.end_inheritance()
            assert sum(part.groups.held for part in heir.parts) == 6
            assert heir.token == first.token
            assert (heir.parts[-1].names == first.parts[-1].names) == (servers == 3)
            await first.end_rest()

    async def test_of_one_that_died_finds_its_groups_on_each(
        self,
        three_redis: list[RedisServer],
        fanout: RememberingFanout,
        producer: RedisChannelLayer,
    ) -> None:
        async with started(three_redis, fanout, token="0" * 32) as dead:
            await dead.hold(GROUPS)
            for task in dead.abandon():
                task.cancel()
            for group in GROUPS:
                await producer.group_send(group, MESSAGE)
            heir = open_intake(Settings(), [server.address for server in three_redis], fanout, token="0" * 32)
            heir.recovers = True
            assert heir.recovers
            await heir.start()
            heir.hold_inherited(GROUPS)
            await eventually(lambda: len(fanout.texts()) == 3)
            await heir.stop()
        assert keys_in(three_redis) == []


class TestNames:
    async def test_say_that_two_processes_share_a_layer_whichever_redis_was_there(
        self, three_redis: list[RedisServer], fanout: RememberingFanout
    ) -> None:
        three_redis[0].kill()
        async with started(three_redis, fanout) as one, started(three_redis, fanout) as other:
            assert one.redis_name
            assert one.redis_name in other.redis_names
            heir = open_intake(Settings(), [server.address for server in three_redis], fanout)
            heir.remember_redis(one.redis_names)
            assert {*heir.redis_names} == {*one.redis_names}


class TestAnnouncements:
    """Other nodes hear of groups on every Redis, in the backplane's group on one."""

    @pytest.fixture
    async def listener(self, producer: RedisChannelLayer) -> Callable[[], Any]:
        """A stock consumer of the backplane's group, wherever its queue is."""
        channel = await producer.new_channel()
        await producer.group_add(BACKPLANE, channel)

        return functools.partial(hear, producer, channel)

    async def test_are_heard_in_their_order(
        self,
        three_redis: list[RedisServer],
        fanout: RememberingFanout,
        listener: Callable[[], Any],
    ) -> None:
        async with started(three_redis, fanout, BACKPLANE) as intake:
            for group in GROUPS:
                await intake.hold([group])
                assert await listener() == ("consumer.subscribe", [group])
            intake.release(GROUPS[:1])
            assert await listener() == ("consumer.unsubscribe", GROUPS[:1])
        told = [await listener() for _ in range(2)]
        assert sorted(told) == [("consumer.unsubscribe", [group]) for group in sorted(GROUPS[1:])]

    async def test_are_said_again_when_the_backplanes_redis_is_back(
        self, three_redis: list[RedisServer], fanout: RememberingFanout
    ) -> None:
        home = choose_host(BACKPLANE, 3)
        first, *_ = others = [host for host in range(3) if host != home]
        groups = [GROUPS[host] for host in others]
        listener = listen_elsewhere(three_redis, home)
        channel = await listener.new_channel()
        await listener.group_add(BACKPLANE, channel)
        async with started(three_redis, fanout, BACKPLANE) as intake:
            await intake.hold(groups)
            heard = [await hear(listener, channel) for _ in groups]
            assert sorted(heard) == sorted(("consumer.subscribe", [group]) for group in groups)
            with out_of_reach(three_redis[home]):
                await eventually(lambda: not intake.parts[home].ready)
                intake.release(groups[:1])
                await eventually(lambda: not three_redis[first].client().exists(f"asgi:group:{groups[0]}"))
            assert await hear(listener, channel) == ("consumer.unsubscribe", groups[:1])
            assert await hear(listener, channel) == ("consumer.subscribe", groups[1:])
        await listener.close_pools()

    async def test_node_that_links_is_told_of_all(
        self,
        three_redis: list[RedisServer],
        fanout: RememberingFanout,
    ) -> None:
        async with started(three_redis, fanout, BACKPLANE) as one, started(three_redis, fanout, BACKPLANE) as other:
            await one.hold(GROUPS)
            await other.hold(GROUPS[:1])
            assert await list_interest(one) == await list_interest(other) == sorted([*GROUPS, GROUPS[0]])


def listen_elsewhere(servers: Sequence[RedisServer], home: int) -> RedisChannelLayer:
    """A stock process that reads from another Redis."""
    while True:
        layer = RedisChannelLayer(hosts=[server.url for server in servers], capacity=10_000)
        if choose_host(f"specific.{layer.client_prefix}!", len(servers)) != home:
            return layer


async def hear(listener: RedisChannelLayer, channel: str) -> tuple[str, list[str]]:
    message = await asyncio.wait_for(listener.receive(channel), HANG)
    return message["type"], message["groups"]


@contextlib.contextmanager
def out_of_reach(server: RedisServer) -> Iterator[None]:
    """It runs on, and nobody is connected or can connect."""
    aside = server.socket.with_name("aside")
    with server.client(single_connection_client=True) as client:
        client.ping()
        server.socket.rename(aside)
        client.client_kill_filter(_type="normal", skipme=True)
        yield
        aside.rename(server.socket)


async def list_interest(intake: EventIntake) -> list[str]:
    await intake.wait_registered()
    return sorted([group async for notice in intake.list_interest() for group in notice.groups])


class TestFlush:
    async def test_of_somebody_in_this_process_is_no_loss(
        self,
        three_redis: list[RedisServer],
        fanout: RememberingFanout,
        producer: RedisChannelLayer,
    ) -> None:
        async with started(three_redis, fanout) as intake:
            await intake.hold(GROUPS)
            intake.subscriptions.begin_flush()
            await producer.flush()
            await intake.subscriptions.end_flush()
            assert intake.repaired == 0
            for server, group in zip(three_redis, GROUPS, strict=True):
                assert server.client().zcard(f"asgi:group:{group}") == 1
