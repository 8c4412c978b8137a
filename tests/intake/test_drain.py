"""Events come out of the queue once, in order and in batches, whatever happens to the connection."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

import pytest
from awxfast.errors import RedisUnavailable
from awxfast.intake.caught_up import CaughtUp
from awxfast.intake.drain import BATCH, HELD_BATCH, MAX_EVENT_SIZE, NEAR, REPLY_SPARE, Drain
from awxfast.intake.names import ProcessNames
from awxfast.intake.pop_commands import BATCH_BYTES
from awxfast.redis.login import open_connection
from awxfast.redis.reconnect import Outages
from channels_redis.core import RedisChannelLayer
from redis_servers import RedisServer
from remembering_fanout import RememberingFanout, eventually

GROUP = "job_events-42"
NAMES = ProcessNames("asgi")
LayerMaker = Callable[..., RedisChannelLayer]


@contextlib.asynccontextmanager
async def draining(
    server: RedisServer,
    fanout: RememberingFanout,
    expiry: int = 60,
    max_event_size: int = MAX_EVENT_SIZE,
    caught_up: CaughtUp | None = None,
) -> AsyncIterator[Drain]:
    """A drain that works, for a process that is registered in one group."""
    with server.client() as client:
        client.zadd(NAMES.group_key(GROUP), {NAMES.channel(f"g.{GROUP}"): time.time()})
    outages = Outages(server.address)
    drain = Drain(
        server.address, NAMES.queue, fanout, outages, expiry, max_event_size=max_event_size, caught_up=caught_up
    )
    task = asyncio.create_task(drain.run())
    try:
        await drain.wait_up()
        yield drain
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def send(layer: RedisChannelLayer, numbers: range) -> None:
    for number in numbers:
        await layer.group_send(GROUP, {"type": "internal.message", "text": str(number)})


def texts(numbers: range) -> list[str]:
    return [str(number) for number in numbers]


def put(server: RedisServer, count: int) -> None:
    """Messages that wait, as if producers had sent them; scores give the order."""
    with server.client() as client:
        client.zadd(NAMES.queue, {b"%012d\x81\xa4text\xa4%04d" % (number, number): number for number in range(count)})


def put_sized(server: RedisServer, sizes: list[int]) -> None:
    """Messages of so many bytes, which begin with their number."""
    with server.client() as client:
        pipe = client.pipeline(transaction=False)
        for number, size in enumerate(sizes):
            pipe.zadd(NAMES.queue, {(b"%012d" % number).ljust(size, b"x"): number})
        pipe.execute()


def numbers(fanout: RememberingFanout) -> list[int]:
    return [int(member[:12]) for batch in fanout.batches for member, _ in batch]


def cut_drain(server: RedisServer) -> bool:
    """Kills the connection that pops, if it is there. Producers run scripts, too."""
    with server.client() as client:
        for entry in client.client_list():
            if entry["cmd"] in ("bzmpop", "bzpopmin", "zpopmin", "memory", "memory|usage"):
                client.client_kill_filter(_id=entry["id"])
                return True
    return False


class TestPopping:
    async def test_takes_all_in_order_from_a_stock_producer(
        self, either_redis: RedisServer, fanout: RememberingFanout, stock_layer: LayerMaker
    ) -> None:
        async with draining(either_redis, fanout) as drain:
            await send(stock_layer(either_redis), range(1_000))
            await eventually(lambda: drain.events == 1_000)
        assert fanout.texts() == texts(range(1_000))
        assert {tuple(message["__asgi_channel__"]) for message in fanout.messages()} == {(NAMES.channel(f"g.{GROUP}"),)}
        assert not fanout.gaps

    async def test_what_waited_comes_in_full_batches(
        self, either_redis: RedisServer, fanout: RememberingFanout
    ) -> None:
        put(either_redis, 1_000)
        async with draining(either_redis, fanout) as drain:
            await eventually(lambda: drain.events == 1_000)
        assert [len(batch) for batch in fanout.batches] == [BATCH, BATCH, BATCH, 1_000 - 3 * BATCH]
        assert fanout.texts() == [f"{number:04}" for number in range(1_000)]

    async def test_scores_come_along(self, either_redis: RedisServer, fanout: RememberingFanout) -> None:
        put(either_redis, 3)
        async with draining(either_redis, fanout) as drain:
            await eventually(lambda: drain.events == 3)
        assert [float(score) for _, score in fanout.batches[0]] == [0.0, 1.0, 2.0]

    async def test_next_pop_is_on_its_way_before_the_batch_is_handed_on(
        self, redis_server: RedisServer, fanout: RememberingFanout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[bool] = []
        async with draining(redis_server, fanout) as drain:
            monkeypatch.setattr(fanout, "publish_batch", lambda _: seen.append(drain._pop_outstanding))
            put(redis_server, 1)
            await eventually(lambda: seen)
        assert seen == [True]

    async def test_pop_of_an_empty_queue_that_times_out_is_repeated(
        self, either_redis: RedisServer, fanout: RememberingFanout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("awxfast.intake.drain.BLOCK", 0.05)
        async with draining(either_redis, fanout) as drain:
            await eventually(lambda: drain.pops >= 3)
            put(either_redis, 1)
            await eventually(lambda: drain.events == 1)
        assert len(fanout.batches) == 1


class TestHoldingBack:
    async def test_waits_while_the_threads_are_behind(
        self, redis_server: RedisServer, fanout: RememberingFanout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        busy = True
        monkeypatch.setattr(fanout, "wait_time", lambda: 0.001 * busy)
        put(redis_server, 1_000)
        async with draining(redis_server, fanout) as drain:
            await eventually(lambda: drain.holds)
            await asyncio.sleep(0.1)
            assert drain.events == BATCH
            with redis_server.client() as client:
                assert client.zcard(NAMES.queue) == 1_000 - BATCH
            busy = False
            await eventually(lambda: drain.events == 1_000)
            assert drain.holds == 1

    async def test_fan_out_is_not_asked_again_before_it_tells(
        self, redis_server: RedisServer, fanout: RememberingFanout
    ) -> None:
        caught_up = CaughtUp()
        async with draining(redis_server, fanout, caught_up=caught_up) as drain:
            await eventually(lambda: drain.pops >= 2)
            fanout.wait_times = [0.0, 3600.0, 3600.0, 3600.0, 0.0, 0.0]
            put(redis_server, 2 * BATCH)
            await eventually(lambda: drain.holds)
            await asyncio.sleep(0.05)
            assert len(fanout.wait_times) == 3
            caught_up.tell()
            await eventually(lambda: len(fanout.wait_times) == 2)
            await asyncio.sleep(0.05)
            assert len(fanout.wait_times) == 2
            caught_up.tell()
            await eventually(lambda: drain.events == 2 * BATCH)

    async def test_batches_are_small_after_a_hold(self, redis_server: RedisServer, fanout: RememberingFanout) -> None:
        fanout.wait_times = [0.001, 0.001, 0.0]
        put(redis_server, 2 * BATCH)
        async with draining(redis_server, fanout) as drain:
            await eventually(lambda: drain.events == 2 * BATCH)
            assert [len(batch) for batch in fanout.batches] == [BATCH, HELD_BATCH, BATCH - HELD_BATCH]
            assert drain.holds == 1
            assert fanout.wait_times == []


class TestBrokenConnection:
    async def test_case_c20_ten_cuts_cost_at_most_one_pop_each(
        self,
        either_redis: RedisServer,
        fanout: RememberingFanout,
        stock_layer: LayerMaker,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        total = 3_000
        async with draining(either_redis, fanout) as drain:
            producer = asyncio.create_task(send(stock_layer(either_redis), range(total)))
            for cut in range(1, 11):
                await drain.wait_up()
                before = drain.events
                await eventually(lambda: drain.events > before or producer.done())  # noqa: B023
                await eventually(lambda: cut_drain(either_redis))
                await eventually(lambda: fanout.gaps["pop_broken"] >= cut)  # noqa: B023
            await producer
            await drain.wait_up()
            await eventually(lambda: not either_redis.client().zcard(NAMES.queue))
            await eventually(lambda: fanout.texts()[-1] == str(total - 1))
        received = fanout.texts()
        assert received == sorted(set(received), key=int), "each at most once, in order"
        assert fanout.gaps == {"pop_broken": 10}
        assert total - len(received) <= sum(at_most for _, at_most in fanout.gap_sizes) == 10 * BATCH
        assert drain.reconnects >= 10
        assert sum("is away" in message for message in caplog.messages) == 10
        assert sum("is back" in message for message in caplog.messages) == 10

    async def test_cut_without_a_pop_on_its_way_is_no_gap(
        self, redis_server: RedisServer, fanout: RememberingFanout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        busy = True
        monkeypatch.setattr(fanout, "wait_time", lambda: 0.001 * busy)
        async with draining(redis_server, fanout) as drain:
            put(redis_server, 2 * BATCH)
            await eventually(lambda: drain.holds)
            assert cut_drain(redis_server)
            await asyncio.sleep(0.05)
            busy = False
            await eventually(lambda: drain.events == 2 * BATCH)
        assert not fanout.gaps

    async def test_batch_that_came_before_the_cut_is_handed_on(
        self, redis_server: RedisServer, fanout: RememberingFanout
    ) -> None:
        drain = Drain(redis_server.address, NAMES.queue, fanout, Outages(redis_server.address), 60)
        connection = await open_connection(redis_server.address)
        connection.close()
        with pytest.raises(RedisUnavailable):
            await drain._publish(connection, [[b"member", b"1"]])
        assert fanout.batches == [[[b"member", b"1"]]]

    async def test_killed_redis_that_comes_back_is_drained_again(
        self, redis_server: RedisServer, fanout: RememberingFanout
    ) -> None:
        async with draining(redis_server, fanout) as drain:
            redis_server.kill()
            await eventually(lambda: not drain.up)
            redis_server.start()
            await drain.wait_up()
            put(redis_server, 5)
            await eventually(lambda: drain.events == 5)
        assert fanout.gaps == {"pop_broken": 1}

    async def test_stopping_is_no_gap(self, redis_server: RedisServer, fanout: RememberingFanout) -> None:
        async with draining(redis_server, fanout):
            pass
        assert not fanout.gaps

    async def test_queue_that_somebody_overwrote_is_made_anew_and_said_once(
        self, either_redis: RedisServer, fanout: RememberingFanout, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with draining(either_redis, fanout) as drain:
            with either_redis.client() as client:
                client.set(NAMES.queue, "x")
                cut_drain(either_redis)
                await eventually(lambda: drain.reconnects and drain.up and not client.exists(NAMES.queue))
            put(either_redis, 1)
            await eventually(lambda: drain.events == 1)
        overwritten = [message for message in caplog.messages if "overwritten" in message]
        assert overwritten == [
            f"the key {NAMES.queue} had been overwritten with something that is no zset: it is made anew"
        ]


class TestLargeEvents:
    async def test_come_a_few_at_a_time_in_order(self, either_redis: RedisServer, fanout: RememberingFanout) -> None:
        size = BATCH_BYTES // 4 + 1
        put_sized(either_redis, [size] * 12)
        async with draining(either_redis, fanout) as drain:
            await eventually(lambda: drain.events == 12)
        assert [len(batch) for batch in fanout.batches] == [3, 3, 3, 3]
        assert numbers(fanout) == list(range(12))

    async def test_behind_small_ones_come_no_faster(self, either_redis: RedisServer, fanout: RememberingFanout) -> None:
        sizes = [100] * (BATCH + 10) + [BATCH_BYTES // 2 + 1] * 6
        put_sized(either_redis, sizes)
        async with draining(either_redis, fanout) as drain:
            await eventually(lambda: drain.events == len(sizes))
        assert numbers(fanout) == list(range(len(sizes)))
        heaviest = max(sum(len(member) for member, _ in batch) for batch in fanout.batches)
        assert heaviest <= BATCH_BYTES

    async def test_that_come_while_nobody_reads_come_a_few_at_a_time(
        self, either_redis: RedisServer, fanout: RememberingFanout
    ) -> None:
        """As after a stop of the process: the pop that waits is answered with the first of them."""
        size = BATCH_BYTES // 2 + 1
        async with draining(either_redis, fanout) as drain:
            await asyncio.sleep(2 * NEAR)
            put_sized(either_redis, [size] * 8)  # in this thread, so that the loop is blocked
            await eventually(lambda: drain.events == 8)
        assert max(sum(len(member) for member, _ in batch) for batch in fanout.batches) <= 2 * size
        assert numbers(fanout) == list(range(8))

    async def test_full_batches_of_small_ones_are_popped_without_the_script(
        self, either_redis: RedisServer, fanout: RememberingFanout
    ) -> None:
        """It takes Redis two or three times as long as a plain pop."""
        count = 20 * BATCH
        put_sized(either_redis, [4_096] * count)
        async with draining(either_redis, fanout) as drain:
            await eventually(lambda: drain.events == count)
            with either_redis.client() as client:
                calls = {name: stats["calls"] for name, stats in client.info("commandstats").items()}
        assert numbers(fanout) == list(range(count))
        assert calls["cmdstat_zpopmin"] >= 19
        assert calls["cmdstat_eval"] <= 2

    async def test_of_many_that_fit_one_that_does_not_is_seen_before(
        self, either_redis: RedisServer, fanout: RememberingFanout
    ) -> None:
        sizes = ([100] * (2 * BATCH - 1) + [BATCH_BYTES - 1]) * 3
        put_sized(either_redis, sizes)
        async with draining(either_redis, fanout) as drain:
            await eventually(lambda: drain.events == len(sizes))
        assert numbers(fanout) == list(range(len(sizes)))
        assert max(sum(len(member) for member, _ in batch) for batch in fanout.batches) <= BATCH_BYTES

    async def test_user_that_may_not_measure_looks(
        self, start_redis: Callable[..., RedisServer], fanout: RememberingFanout
    ) -> None:
        server = start_redis()
        with server.client() as client:
            client.execute_command("ACL", "SETUSER", "default", "-memory")
            put(server, 3 * BATCH)
            async with draining(server, fanout) as drain:
                await eventually(lambda: drain.events == 3 * BATCH)
                assert client.info("commandstats")["cmdstat_eval"]["calls"] >= 3
        assert not fanout.gaps
        assert drain.reconnects == 0

    async def test_one_over_the_limit_is_counted_unread_and_costs_no_other(
        self, either_redis: RedisServer, fanout: RememberingFanout
    ) -> None:
        put_sized(either_redis, [100, 5_000, 100, 4_096, 4_097, 100])
        async with draining(either_redis, fanout, max_event_size=4_096) as drain:
            await eventually(lambda: drain.events == 4)
        assert numbers(fanout) == [0, 2, 3, 5]
        assert fanout.too_large == 2
        assert not fanout.gaps

    async def test_one_over_the_limit_that_a_pop_waited_for_is_handed_on_to_be_rejected(
        self, either_redis: RedisServer, fanout: RememberingFanout
    ) -> None:
        async with draining(either_redis, fanout, max_event_size=4_096) as drain:
            put_sized(either_redis, [REPLY_SPARE // 8])
            await eventually(lambda: drain.events == 1 or fanout.too_large)
            put_sized(either_redis, [100])
            await eventually(lambda: drain.events + fanout.too_large == 2)
        assert not fanout.gaps
        assert drain.reconnects == 0

    async def test_user_that_may_not_run_scripts_pops_all_the_same(
        self, start_redis: Callable[..., RedisServer], fanout: RememberingFanout
    ) -> None:
        server = start_redis()
        with server.client() as client:
            client.execute_command("ACL", "SETUSER", "default", "-eval")
            put(server, 3)
            async with draining(server, fanout) as drain:
                await eventually(lambda: drain.events == 3)
        assert not fanout.gaps


class TestExpiry:
    async def test_stall_longer_than_producers_keep_events_is_a_gap(
        self, redis_server: RedisServer, fanout: RememberingFanout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        busy = False
        monkeypatch.setattr(fanout, "wait_time", lambda: 0.001 * busy)
        async with draining(redis_server, fanout, expiry=1) as drain:
            busy = True
            put(redis_server, 1)
            await eventually(lambda: drain.holds)
            await asyncio.sleep(1.1)
            busy = False
            await eventually(lambda: fanout.gaps["expired"])
        assert fanout.gaps == {"expired": 1}
