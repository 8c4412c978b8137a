"""The drain of a queue that is a list, on servers with BLMPOP, with RPOP of several, and with neither."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from awxfast.intake import drain as drain_module
from awxfast.intake.drain import BATCH, MAX_EVENT_SIZE, NEAR, Drain
from awxfast.intake.names import ProcessNames
from awxfast.intake.pop_commands import BATCH_BYTES
from awxfast.intake.queue_pops import WHOLE_BYTES, ListPops
from awxfast.redis.connection import RedisConnection
from awxfast.redis.reconnect import Outages
from awxfast.redis.server_facts import ServerFacts
from redis_servers import RedisServer, binary_of
from remembering_fanout import RememberingFanout, eventually

NAMES = ProcessNames("asgi:")
OLD = "5"


@pytest.fixture(params=["installed", "6.2", OLD])
def any_redis(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    """The third does not say which version it is, and so is taken for the oldest."""
    server = RedisServer(binary_of("6.2" if request.param == "6.2" else "installed"))
    if request.param == OLD:

        async def ask_nothing(_: RedisConnection) -> ServerFacts:
            return ServerFacts()

        monkeypatch.setattr(drain_module, "ask_facts", ask_nothing)
    yield server
    server.close()


@contextlib.asynccontextmanager
async def draining(
    server: RedisServer, fanout: RememberingFanout, max_event_size: int = MAX_EVENT_SIZE
) -> AsyncIterator[Drain]:
    pops = ListPops(NAMES.queue, max_event_size)
    drain = Drain(
        server.address, NAMES.queue, fanout, Outages(server.address), 60, max_event_size=max_event_size, pops=pops
    )
    task = asyncio.create_task(drain.run())
    try:
        await drain.wait_up()
        yield drain
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def put(server: RedisServer, sizes: list[int]) -> None:
    """Entries of so many bytes, which begin with their number, as producers put them."""
    with server.client() as client:
        pipe = client.pipeline(transaction=False)
        for number, size in enumerate(sizes):
            pipe.lpush(NAMES.queue, (b"%012d" % number).ljust(size, b"x"))
        pipe.execute()


def numbers(fanout: RememberingFanout) -> list[int]:
    return [int(entry[:12]) for batch in fanout.batches for entry in batch]


def heaviest(fanout: RememberingFanout) -> int:
    return max(sum(map(len, batch)) for batch in fanout.batches)


def count_calls(server: RedisServer, command: str) -> int:
    with server.client() as client:
        return client.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"]


class TestPopping:
    async def test_oldest_come_first_one_at_a_time(self, any_redis: RedisServer, fanout: RememberingFanout) -> None:
        async with draining(any_redis, fanout) as drain:
            for number in range(50):
                with any_redis.client() as client:
                    client.lpush(NAMES.queue, b"%012d" % number)
                await eventually(lambda number=number: drain.events == number + 1)
        assert numbers(fanout) == list(range(50))

    async def test_what_waited_comes_in_full_batches(self, any_redis: RedisServer, fanout: RememberingFanout) -> None:
        put(any_redis, [100] * 1_000)
        async with draining(any_redis, fanout) as drain:
            await eventually(lambda: drain.events == 1_000)
        assert [len(batch) for batch in fanout.batches] == [BATCH, BATCH, BATCH, 1_000 - 3 * BATCH]
        assert numbers(fanout) == list(range(1_000))

    async def test_bursts_come_in_order(self, any_redis: RedisServer, fanout: RememberingFanout) -> None:
        async with draining(any_redis, fanout) as drain:
            for burst in range(20):
                put(any_redis, [50] * 30)
                await eventually(lambda burst=burst: drain.events == 30 * (burst + 1))
        assert numbers(fanout) == list(range(30)) * 20

    async def test_queue_of_another_type_is_made_anew(
        self, any_redis: RedisServer, fanout: RememberingFanout, caplog: pytest.LogCaptureFixture
    ) -> None:
        with any_redis.client() as client:
            client.zadd(NAMES.queue, {"x": 1})
        async with draining(any_redis, fanout) as drain:
            await eventually(lambda: "that is no list" in caplog.text)
            put(any_redis, [100])
            await eventually(lambda: drain.events == 1)
        assert numbers(fanout) == [0]

    async def test_pop_that_is_cut_is_a_gap_of_a_batch(
        self, redis_server: RedisServer, fanout: RememberingFanout
    ) -> None:
        async with draining(redis_server, fanout) as drain:
            with redis_server.client() as client:

                def cut() -> bool:
                    pops = [one["id"] for one in client.client_list() if one["cmd"] == "blmpop"]
                    return bool(pops and client.client_kill_filter(_id=pops[0]))

                await eventually(cut)
            await eventually(lambda: drain.reconnects and drain.up)
            put(redis_server, [100])
            await eventually(lambda: drain.events == 1)
        assert fanout.gap_sizes == [("pop_broken", BATCH)]


class TestLargeEvents:
    async def test_come_a_few_at_a_time_in_order(self, any_redis: RedisServer, fanout: RememberingFanout) -> None:
        put(any_redis, [BATCH_BYTES // 4 + 1] * 12)
        async with draining(any_redis, fanout) as drain:
            await eventually(lambda: drain.events == 12)
        assert [len(batch) for batch in fanout.batches] == [3, 3, 3, 3]
        assert numbers(fanout) == list(range(12))

    async def test_behind_small_ones_come_no_faster(self, any_redis: RedisServer, fanout: RememberingFanout) -> None:
        sizes = [100] * (BATCH + 10) + [BATCH_BYTES // 2 + 1] * 8
        put(any_redis, sizes)
        async with draining(any_redis, fanout) as drain:
            await eventually(lambda: drain.events == len(sizes))
        assert numbers(fanout) == list(range(len(sizes)))
        assert heaviest(fanout) <= BATCH_BYTES

    async def test_among_many_small_ones_cost_no_more_than_all_that_may_wait_unseen(
        self, any_redis: RedisServer, fanout: RememberingFanout
    ) -> None:
        sizes = [100] * (3 * BATCH) + [WHOLE_BYTES // 20] * 15 + [100] * (10 * BATCH)
        put(any_redis, sizes)
        async with draining(any_redis, fanout) as drain:
            await eventually(lambda: drain.events == len(sizes))
        assert numbers(fanout) == list(range(len(sizes)))
        assert heaviest(fanout) <= WHOLE_BYTES

    async def test_that_come_while_nobody_reads_come_a_few_at_a_time(
        self, any_redis: RedisServer, fanout: RememberingFanout
    ) -> None:
        size = BATCH_BYTES // 2 + 1
        async with draining(any_redis, fanout) as drain:
            await asyncio.sleep(2 * NEAR)
            put(any_redis, [size] * 8)  # in this thread, so that the loop is blocked
            await eventually(lambda: drain.events == 8)
        assert heaviest(fanout) <= 2 * size
        assert numbers(fanout) == list(range(8))

    async def test_full_batches_of_small_ones_are_popped_without_the_script_and_measured_seldom(
        self, any_redis: RedisServer, fanout: RememberingFanout
    ) -> None:
        count = 20 * BATCH
        put(any_redis, [4_096] * count)
        async with draining(any_redis, fanout) as drain:
            await eventually(lambda: drain.events == count)
        assert numbers(fanout) == list(range(count))
        assert count_calls(any_redis, "eval") <= 2
        assert count_calls(any_redis, "memory|usage") + count_calls(any_redis, "memory") <= 3

    async def test_user_that_may_not_measure_looks(
        self, start_redis: Callable[..., RedisServer], fanout: RememberingFanout
    ) -> None:
        server = start_redis()
        with server.client() as client:
            client.execute_command("ACL", "SETUSER", "default", "-memory")
        put(server, [100] * (3 * BATCH))
        async with draining(server, fanout) as drain:
            await eventually(lambda: drain.events == 3 * BATCH)
        assert count_calls(server, "eval") >= 3
        assert (fanout.gaps, drain.reconnects) == ({}, 0)

    async def test_user_that_may_not_run_scripts_pops_all_the_same(
        self, start_redis: Callable[..., RedisServer], fanout: RememberingFanout
    ) -> None:
        server = start_redis()
        with server.client() as client:
            client.execute_command("ACL", "SETUSER", "default", "-eval")
        put(server, [100] * 3)
        async with draining(server, fanout) as drain:
            await eventually(lambda: drain.events == 3)
        assert not fanout.gaps

    async def test_one_over_the_limit_is_counted_unread_and_costs_no_other(
        self, any_redis: RedisServer, fanout: RememberingFanout
    ) -> None:
        put(any_redis, [100, 5_000, 100, 4_096, 4_097, 100])
        async with draining(any_redis, fanout, max_event_size=4_096) as drain:
            await eventually(lambda: drain.events == 4)
        assert numbers(fanout) == [0, 2, 3, 5]
        assert (fanout.too_large, fanout.gaps) == (2, {})
