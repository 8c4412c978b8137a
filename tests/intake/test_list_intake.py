"""The intake of a layer whose queues are lists, with unmodified producers of channels_redis 2."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from awxfast.intake.intake import Intake
from awxfast.settings import LayerSettings, default_layer
from environments import AWX_14, find_python
from redis_servers import RedisServer
from remembering_fanout import RememberingFanout, eventually

HERE = Path(__file__).parent
LISTS = default_layer("lists")


@contextlib.asynccontextmanager
async def started(
    server: RedisServer, fanout: RememberingFanout, layer: LayerSettings = LISTS
) -> AsyncIterator[Intake]:
    intake = Intake(layer, server.address, fanout)
    try:
        await intake.start()
        yield intake
    finally:
        await intake.stop()


@pytest.fixture
def producer(redis_server: RedisServer) -> Iterator[subprocess.Popen[str]]:
    """Sends an event to each group that is written to it."""
    command = [str(find_python(AWX_14)), str(HERE / "stock_producer.py"), redis_server.url]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


def send(producer: subprocess.Popen[str], group: str) -> None:
    assert producer.stdin is not None
    producer.stdin.write(f"{group}\n")
    producer.stdin.flush()


def put(server: RedisServer, intake: Intake, count: int) -> None:
    with server.client() as client:
        client.lpush(intake.names.queue, *range(count))


class TestStockProducer:
    async def test_event_names_the_channel_of_its_group(
        self, redis_server: RedisServer, fanout: RememberingFanout, producer: subprocess.Popen[str]
    ) -> None:
        async with started(redis_server, fanout) as intake:
            await intake.hold(["jobs-1", "jobs-2"])
            for group in ("jobs-1", "jobs-2", "jobs-1"):
                send(producer, group)
            await eventually(lambda: intake.drain.events == 3)
            assert redis_server.client().exists("asgi::group:jobs-1")
            channels = [intake.names.channel(f"g.{group}") for group in ("jobs-1", "jobs-2", "jobs-1")]
        entries = [entry for batch in fanout.batches for entry in batch]
        assert all(entry[:1] == b"\x83" for entry in entries), "no random prefix stands before the map"
        assert all(channel.encode() in entry for channel, entry in zip(channels, entries, strict=True))

    async def test_queue_that_is_full_is_a_gap(
        self,
        redis_server: RedisServer,
        fanout: RememberingFanout,
        producer: subprocess.Popen[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(fanout, "wait_time", lambda: 0.01)
        async with started(redis_server, fanout, LayerSettings(layer="lists", prefix="asgi:", capacity=5)) as intake:
            put(redis_server, intake, 10)
            await eventually(lambda: intake.depth >= 5 or fanout.gaps["queue_full"])
            await eventually(lambda: fanout.gaps["queue_full"])
            monkeypatch.setattr(fanout, "wait_time", lambda: 0.0)


class TestWipe:
    async def test_registrations_come_back_and_what_waited_is_counted(
        self, redis_server: RedisServer, fanout: RememberingFanout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """AWX's `asgi:*` is every queue, too."""
        async with started(redis_server, fanout) as intake:
            await intake.hold(["jobs-1"])
            intake.drain.begin_rest()
            await intake.registration.end_waiting(intake.drain.connection_id)
            await intake.drain.wait_at_rest()
            put(redis_server, intake, 7_000)
            await eventually(lambda: intake.depth == 7_000)
            monkeypatch.setattr("awxfast.intake.registration.most_events_in", lambda seconds: 3)
            with redis_server.client() as client:
                client.delete(*client.scan_iter("asgi:*"))
                await eventually(lambda: fanout.gaps["wiped"])
                await eventually(lambda: client.exists("asgi::group:jobs-1"))
            assert fanout.gap_sizes == [("wiped", 7_003)]
            intake.drain.end_rest()


class TestEnd:
    async def test_leaves_nothing(self, redis_server: RedisServer, fanout: RememberingFanout) -> None:
        async with started(redis_server, fanout) as intake:
            await intake.hold(["jobs-1"])
            put(redis_server, intake, 1_000)
        assert intake.drain.events == 1_000
        assert redis_server.client().keys("*") == []

    async def test_names_of_a_killed_process_are_removed_by_the_next(
        self, redis_server: RedisServer, fanout: RememberingFanout
    ) -> None:
        command = [sys.executable, str(HERE / "lonely_process.py"), redis_server.url, "asgi:", "jobs-1"]
        victim = await asyncio.create_subprocess_exec(*command, stdin=-1, stdout=-1)
        assert victim.stdout is not None
        token = (await victim.stdout.readline()).decode().strip()
        os.kill(victim.pid, signal.SIGSTOP)
        queue = f"asgi:specific.{token}!"
        with redis_server.client() as client:
            client.lpush(queue, "waits")
            client.lpush(queue + "$inflight", "half done")
            victim.kill()
            await victim.wait()
            async with started(redis_server, fanout):
                await eventually(lambda: not any(token.encode() in key for key in client.keys("*")))
                assert not client.exists("asgi::group:jobs-1")
