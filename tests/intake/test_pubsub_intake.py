"""The intake that is subscribed, with a real Redis and unmodified producers of `channels_redis.pubsub`."""

import asyncio
import contextlib
import functools
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from awxfast.errors import ConfigurationError, RedisReplyError, RedisUnavailable
from awxfast.intake.pubsub_intake import PubSubIntake
from awxfast.redis.address import RedisAddress
from awxfast.settings import LayerSettings, default_layer
from channels_redis.pubsub import RedisPubSubChannelLayer
from failing_disk import fail_to_save
from redis_impostors import impostor
from redis_servers import RedisServer
from remembering_fanout import RememberingFanout, eventually

LAYER = default_layer("pubsub")


@contextlib.asynccontextmanager
async def started(
    url: str, fanout: RememberingFanout, layer: LayerSettings = LAYER, **options: Any
) -> AsyncIterator[PubSubIntake]:
    intake = PubSubIntake(layer, RedisAddress.parse(url), fanout, **options)
    try:
        await intake.start()
        yield intake
    finally:
        await intake.stop()


@pytest.fixture
async def producer(redis_server: RedisServer) -> AsyncIterator[RedisPubSubChannelLayer]:
    layer = RedisPubSubChannelLayer(hosts=[redis_server.url])
    yield layer
    await layer.flush()


async def send(producer: RedisPubSubChannelLayer, group: str, *texts: str) -> None:
    for text in texts:
        await producer.group_send(group, {"type": "internal.message", "text": text})


def subscribers(server: RedisServer) -> dict[str, int]:
    """How many hear each of Redis' channels."""
    with server.client() as client:
        return {name.decode(): client.pubsub_numsub(name)[0][1] for name in client.pubsub_channels()}


def cut(server: RedisServer) -> None:
    """Ends all connections that are subscribed."""
    with server.client() as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")


class TestEvents:
    async def test_event_sent_right_after_the_hold_arrives(
        self, redis_server: RedisServer, fanout: RememberingFanout, producer: RedisPubSubChannelLayer
    ) -> None:
        async with started(redis_server.url, fanout) as intake:
            for number in range(100):
                await intake.hold([f"job_events-{number}"])
                await send(producer, f"job_events-{number}", str(number))
            await eventually(lambda: len(fanout.pushed) == 100)
        assert fanout.pushed_texts() == [str(number) for number in range(100)]
        assert {(is_group, name) for is_group, name, _ in fanout.pushed} == {
            (True, b"job_events-%d" % number) for number in range(100)
        }
        assert not fanout.gaps

    async def test_all_of_a_burst_arrives_in_order(
        self, redis_server: RedisServer, fanout: RememberingFanout, producer: RedisPubSubChannelLayer
    ) -> None:
        fanout.wait_times = [0.0, 0.01, 0.01]
        async with started(redis_server.url, fanout) as intake:
            await intake.hold(["burst"])
            with redis_server.client() as client, client.pipeline(transaction=False) as pipe:
                body = producer.serialize({"type": "internal.message", "text": "x" * 500})
                for _ in range(5_000):
                    pipe.publish("asgi__group__burst", body)
                pipe.execute()
            await send(producer, "burst", "last")
            await eventually(lambda: fanout.pushed and fanout.pushed_texts()[-1] == "last")
        assert len(fanout.pushed) == 5_001
        assert not fanout.gaps

    async def test_message_for_a_channel_of_ours_arrives(
        self, redis_server: RedisServer, fanout: RememberingFanout, producer: RedisPubSubChannelLayer
    ) -> None:
        layer = LayerSettings(layer="pubsub", prefix="a*[b]", random_prefix_length=0)
        async with started(redis_server.url, fanout, layer, has_channels=True) as intake:
            await producer.send(f"a*[b]specific.{intake.token[:16]}{'7' * 16}", {"type": "a"})
            await producer.send(f"axbspecific.{intake.token[:16]}{'8' * 16}", {"type": "b"})
            await eventually(lambda: fanout.pushed)
        assert [(is_group, name) for is_group, name, _ in fanout.pushed] == [(False, b"7" * 16)]

    async def test_group_of_any_name_is_held(
        self, redis_server: RedisServer, fanout: RememberingFanout, producer: RedisPubSubChannelLayer
    ) -> None:
        name = "räume:1 " + "x" * 200
        async with started(redis_server.url, fanout) as intake:
            await intake.hold([name])
            await send(producer, name, "here")
            await eventually(lambda: fanout.pushed)
            with pytest.raises(UnicodeEncodeError):
                await intake.hold(["\ud800"])
        assert fanout.pushed[0][1] == name.encode()

    async def test_message_beyond_the_limit_costs_the_connection_and_is_a_gap(
        self, redis_server: RedisServer, fanout: RememberingFanout, producer: RedisPubSubChannelLayer
    ) -> None:
        async with started(redis_server.url, fanout, max_event_size=1000) as intake:
            intake.subscriber._reply_limit = 100_000
            cut(redis_server)  # the next connection has that limit
            await intake.hold(["big"])
            await eventually(lambda: subscribers(redis_server).get("asgi__group__big") == 1)
            await send(producer, "big", "x" * 200_000)
            await eventually(lambda: fanout.gaps["unsubscribed"])
            await eventually(lambda: intake.ready)
            await send(producer, "big", "after")
            await eventually(lambda: "after" in fanout.pushed_texts())


class TestSubscriptions:
    async def test_groups_are_subscribed_once_and_left_by_the_last(
        self, redis_server: RedisServer, fanout: RememberingFanout
    ) -> None:
        async with started(redis_server.url, fanout) as intake:
            sentinel = f"asgi__group__awxfast-sentinel.{intake.token}"
            await asyncio.gather(intake.hold(["a", "b"]), intake.hold(["a"]))
            assert subscribers(redis_server) == {"asgi__group__a": 1, "asgi__group__b": 1, sentinel: 1}
            intake.release(["a", "b"])
            await eventually(lambda: "asgi__group__b" not in subscribers(redis_server))
            assert "asgi__group__a" in subscribers(redis_server)
            intake.release(["a"])
            await eventually(lambda: subscribers(redis_server) == {sentinel: 1})

    async def test_clean_exit_leaves_nothing(
        self, redis_server: RedisServer, fanout: RememberingFanout, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with started(redis_server.url, fanout, announce_in="broadcast-group_send") as intake:
            await intake.hold([f"job_events-{number}" for number in range(3_000)])
            assert len(subscribers(redis_server)) == 3_001
        assert subscribers(redis_server) == {}
        assert not intake.failed.is_set()
        assert caplog.messages == []
        with redis_server.client() as client:
            assert client.keys("*") == []

    async def test_hold_waits_for_a_redis_that_is_away(
        self, redis_server: RedisServer, fanout: RememberingFanout, producer: RedisPubSubChannelLayer
    ) -> None:
        redis_server.kill()
        async with started(redis_server.url, fanout) as intake:
            assert not intake.ready
            assert intake.trouble
            hold = asyncio.ensure_future(intake.hold(["late"]))
            await asyncio.sleep(0.1)
            assert not hold.done()
            redis_server.start()
            await hold
            await send(producer, "late", "here")
            await eventually(lambda: fanout.pushed_texts() == ["here"])
        assert not fanout.gaps

    async def test_refused_group_is_said_and_costs_no_other(
        self, start_redis: Callable[..., RedisServer], fanout: RememberingFanout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("awxfast.intake.members.REFUSAL_PATIENCE", 0.1)
        server = start_redis()
        with server.client() as client:
            client.execute_command(
                "ACL", "SETUSER", "few", "on", ">secret", "+@all", "&asgi__group__awxfast-*", "&asgi__group__good*"
            )
        async with started(f"unix://few:secret@{server.socket}", fanout) as intake:
            await intake.hold(["good"])
            with pytest.raises(RedisReplyError, match="NOPERM"):
                await intake.subscriptions.hold(["bad"])
            await intake.hold(["good-2"])

    async def test_wrong_password_can_never_work(self, redis_server: RedisServer, fanout: RememberingFanout) -> None:
        with pytest.raises(ConfigurationError):
            async with started(f"unix://:wrong@{redis_server.socket}", fanout):
                pass


class TestGaps:
    async def test_cut_connection_is_a_gap_of_each_group_and_all_is_subscribed_again(
        self, redis_server: RedisServer, fanout: RememberingFanout, producer: RedisPubSubChannelLayer
    ) -> None:
        async with started(redis_server.url, fanout) as intake:
            await intake.hold(["a", "b", "c"])
            cut(redis_server)
            await eventually(lambda: fanout.gaps)
            assert fanout.gaps == {"unsubscribed": 3}
            assert intake.repaired == 3
            await send(producer, "b", "after")
            await eventually(lambda: fanout.pushed_texts() == ["after"])

    async def test_gap_is_no_smaller_than_what_was_lost(
        self, redis_server: RedisServer, fanout: RememberingFanout, producer: RedisPubSubChannelLayer
    ) -> None:
        async with started(redis_server.url, fanout) as intake:
            await intake.hold(["a"])
            for round_ in range(5):
                cut(redis_server)
                await send(producer, "a", *(f"{round_}.{number}" for number in range(200)))
                await eventually(lambda round_=round_: fanout.gaps["unsubscribed"] == round_ + 1)
            await send(producer, "a", "end")
            await eventually(lambda: "end" in fanout.pushed_texts())
        lost = 5 * 200 + 1 - len(fanout.pushed)
        assert lost > 0
        assert sum(size for _, size in fanout.gap_sizes) >= lost

    async def test_groups_that_nobody_held_before_are_no_gap(
        self, redis_server: RedisServer, fanout: RememberingFanout
    ) -> None:
        async with started(redis_server.url, fanout) as intake:
            cut(redis_server)
            await eventually(lambda: intake.ready)
            await intake.hold(["a"])
        assert not fanout.gaps


class TestHandOver:
    @pytest.mark.parametrize("is_passed", [True, False])
    async def test_other_intake_goes_on_with_the_connection(
        self, redis_server: RedisServer, fanout: RememberingFanout, producer: RedisPubSubChannelLayer, is_passed: bool
    ) -> None:
        former = PubSubIntake(LAYER, redis_server.address, fanout)
        await former.start()
        await former.hold(["a", "left"])
        former.release(["left"])
        await former.rest(1, 5.0)
        await send(producer, "a", *map(str, range(500)))
        frozen = former.freeze()
        descriptors = [os.dup(one) for one in former.descriptors] if is_passed else []
        for task in former.abandon():
            await asyncio.gather(task, return_exceptions=True)
        heir = PubSubIntake(LAYER, redis_server.address, fanout, token=former.token)
        heir.inherit(frozen, descriptors)
        heir.hold_inherited(["a"])
        heir.end_inheritance()
        await heir.start()
        await send(producer, "a", "end")
        await eventually(lambda: "end" in fanout.pushed_texts())
        await eventually(lambda: "asgi__group__left" not in subscribers(redis_server))
        await heir.stop()
        if is_passed:
            assert fanout.pushed_texts() == [*map(str, range(500)), "end"]
            assert not fanout.gaps
        else:
            assert fanout.gaps["unsubscribed"] >= 1
        assert subscribers(redis_server) == {}

    async def test_intake_goes_on_where_nobody_else_does(
        self, redis_server: RedisServer, fanout: RememberingFanout, producer: RedisPubSubChannelLayer
    ) -> None:
        async with started(redis_server.url, fanout) as intake:
            await intake.hold(["a"])
            await intake.rest(1, 5.0)
            intake.release(["a"])
            await send(producer, "a", *map(str, range(100)))
            hold = asyncio.ensure_future(intake.hold(["a", "b"]))
            await asyncio.sleep(0.1)
            assert not fanout.pushed
            await intake.end_rest()
            await hold
            await send(producer, "b", "b")
            await eventually(lambda: len(fanout.pushed) == 101)
        assert not fanout.gaps

    async def test_events_wait_while_they_are_held(
        self, redis_server: RedisServer, fanout: RememberingFanout, producer: RedisPubSubChannelLayer
    ) -> None:
        async with started(redis_server.url, fanout) as intake:
            intake.hold_events()
            await intake.hold(["a"])
            await send(producer, "a", "1", "2")
            await eventually(lambda: intake.depth == 2)
            assert not fanout.pushed
            intake.let_events_come()
            await eventually(lambda: fanout.pushed_texts() == ["1", "2"])

    async def test_redis_that_is_away_keeps_the_process(
        self, redis_server: RedisServer, fanout: RememberingFanout
    ) -> None:
        async with started(redis_server.url, fanout) as intake:
            redis_server.kill()
            await eventually(lambda: not intake.ready)
            with pytest.raises(RedisUnavailable):
                await intake.rest(1, 5.0)


class TestEnd:
    @pytest.mark.parametrize("end", ["stop", "abandon"])
    async def test_of_a_process_that_tells_other_nodes_is_no_fault(
        self, redis_server: RedisServer, fanout: RememberingFanout, caplog: pytest.LogCaptureFixture, end: str
    ) -> None:
        async with started(redis_server.url, fanout, announce_in="backplane") as intake:
            await intake.hold(["a"])
            if end == "abandon":
                await asyncio.gather(*intake.abandon(), return_exceptions=True)
        assert not intake.failed.is_set()
        assert caplog.messages == []


class TestRedisThatCannotSave:
    """It refuses PING as if that were a write, and publishes as ever."""

    async def test_keeps_its_subscriptions(
        self,
        redis_server: RedisServer,
        fanout: RememberingFanout,
        producer: RedisPubSubChannelLayer,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr("awxfast.intake.subscriber.CHECK_INTERVAL", 0.02)
        async with started(redis_server.url, fanout, announce_in="backplane") as intake:
            await intake.hold(["a"])
            with redis_server.client() as client:
                fail_to_save(client)
            await asyncio.sleep(0.2)
            await send(producer, "a", "1")
            await eventually(lambda: fanout.pushed_texts() == ["1"])
            await intake.rest(1, 5.0)
            await intake.end_rest()
        assert not fanout.gaps
        assert caplog.messages == []


class TestSentinel:
    async def test_connection_of_the_former_process_ends_too_when_the_master_is_another(
        self, redis_server: RedisServer, fanout: RememberingFanout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("awxfast.redis.sentinel.LOOK_SECONDS", 0.01)
        former = PubSubIntake(LAYER, redis_server.address, fanout)
        await former.start()
        await former.rest(1, 5.0)
        frozen, descriptors = former.freeze(), [os.dup(one) for one in former.descriptors]
        await asyncio.gather(*former.abandon(), return_exceptions=True)
        asked: list[int] = []
        master = 1

        def name() -> int:
            asked.append(master)
            return master

        async with impostor(functools.partial(name_master, name=name)) as sentinel:
            heir = PubSubIntake(LAYER, RedisAddress(master_name="m", sentinels=(sentinel,)), fanout, token=former.token)
            heir.inherit({**frozen, "addresses": [str(heir.address)]}, descriptors)
            await heir.start()
            await eventually(lambda: asked)
            assert heir.ready
            master = 2
            await eventually(lambda: not heir.ready)
            await heir.stop()


async def name_master(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: Callable[[], int]) -> None:
    """A sentinel; the master is at this port of 127.0.0.1."""
    while said := await reader.read(1000):
        writer.write(b"*2\r\n$9\r\n127.0.0.1\r\n$1\r\n%d\r\n" % name() if b"SENTINEL" in said else b"+PONG\r\n")
