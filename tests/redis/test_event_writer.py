"""The queue between peers and Redis: in order, bounded, each event with one outcome whatever Redis does."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import orjson
import pytest
from awxfast.redis import event_writer
from awxfast.redis.event_writer import EventWriter, Loss
from awxfast.redis.group_writer import Event, GroupWriter, Sent
from awxfast.redis.reconnect import Outages
from awxfast.settings import LayerSettings
from redis_servers import RedisServer
from remembering_fanout import eventually


class Running:
    """One, and its outcomes."""

    def __init__(self, server: RedisServer) -> None:
        self.outcomes: Counter[str] = Counter()
        self.crowds: list[bool] = []
        writer = GroupWriter(LayerSettings(group_expiry=86_400))
        self.queue = EventWriter("events", server.address, writer, Outages(server.address), self, self.crowds.append)
        self.task = asyncio.create_task(self.queue.run())

    def note_sent(self, events: Sequence[Event], sent: Sent) -> None:
        self.outcomes["sent"] += len(events)

    def note_unheard(self, events: Sequence[Event]) -> None:
        self.outcomes["unheard"] += len(events)

    def note_lost(self, events: Sequence[Event], reason: Loss) -> None:
        self.outcomes[reason] += len(events)

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def running(redis_server: RedisServer) -> AsyncIterator[Running]:
    running = Running(redis_server)
    await running.queue.wait_up()
    yield running
    await running.stop()


def listen(server: RedisServer, group: str) -> None:
    """Somebody is in the group."""
    with server.client() as client:
        client.zadd(f"asgi:group:{group}", {"specific.a!x": 2e9})


EVENT = Event("a", b"{}")


class TestMasterThatIsNoneAnyMore:
    async def test_it_is_looked_up_anew(self, running: Running, redis_server: RedisServer) -> None:
        listen(redis_server, "a")
        with redis_server.client() as client:
            client.execute_command("REPLICAOF", "127.0.0.1", 1)
            running.queue.put([EVENT])
            await eventually(lambda: running.outcomes["refused"] == 1)
            await eventually(lambda: running.queue._kept.reconnects > 0)
            client.execute_command("REPLICAOF", "NO", "ONE")
        await running.queue.wait_up()
        running.queue.put([EVENT])
        await eventually(lambda: running.outcomes["sent"] == 1)


class TestOutage:
    async def test_broken_connection_costs_only_what_may_have_been_written(
        self, running: Running, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(event_writer, "MAX_BATCH_EVENTS", 2)
        listen(redis_server, "a")
        send = running.queue._writer.send

        async def break_connection(*arguments: object) -> Sent:
            monkeypatch.setattr(running.queue._writer, "send", send)
            with redis_server.client() as client:
                client.client_kill_filter(_type="normal", skipme=True)
            return await send(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(running.queue._writer, "send", break_connection)
        running.queue.put([EVENT] * 5)
        await eventually(lambda: sum(running.outcomes.values()) == 5)
        assert running.outcomes == {"connection_broken": 2, "sent": 3}

    async def test_connection_that_only_broke_is_used_at_once(
        self, running: Running, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(event_writer, "RETURN_TIME", 3600)
        with redis_server.client() as client:
            client.client_kill_filter(_type="normal", skipme=True)
        await eventually(lambda: not running.queue.up)
        running.queue.put([EVENT])
        await eventually(lambda: running.outcomes["unheard"] == 1)

    async def test_redis_that_goes_again_while_others_are_awaited_is_noticed(
        self, running: Running, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(event_writer, "RETURN_TIME", 3600)
        for _ in range(2):
            redis_server.kill()
            await asyncio.to_thread(redis_server.start)
            with redis_server.client() as client:
                await eventually(lambda: running.queue._run_id == client.info("server")["run_id"])
        assert not running.queue.up


class TestCrowd:
    async def test_is_told_once_and_ends(self, running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(event_writer, "CROWDED_EVENTS", 10)
        for _ in range(30):
            running.queue.put([EVENT])
        assert running.crowds == [True]
        await eventually(lambda: not running.queue.pending)
        assert running.crowds == [True, False]

    async def test_ends_with_the_connection(
        self, running: Running, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(event_writer, "CROWDED_EVENTS", 0)
        redis_server.kill()
        running.queue.put([EVENT])
        assert running.crowds == [True]
        await eventually(lambda: running.crowds == [True, False])


class TestEnd:
    async def test_what_waits_is_lost(self, running: Running, redis_server: RedisServer) -> None:
        redis_server.kill()
        await eventually(lambda: not running.queue.up)
        running.queue.put([EVENT] * 3)
        await running.stop()
        running.queue.give_up()
        assert running.outcomes == {"stopped": 3}
        assert (running.queue.pending, running.queue.queued_bytes) == (0, 0)


class TestRest:
    async def test_what_comes_at_rest_stays_until_its_end(self, running: Running, redis_server: RedisServer) -> None:
        listen(redis_server, "a")
        running.queue.put([EVENT] * 3)
        await running.queue.rest()
        before = running.queue.pending
        running.queue.put([EVENT] * 2)
        assert running.queue.store("key", "value")
        await asyncio.sleep(0.01)
        assert running.queue.pending == before + 2
        running.queue.end_rest()
        await eventually(lambda: not running.queue.pending)
        assert running.outcomes == {"sent": 5}

    async def test_another_process_writes_what_waits(self, running: Running, redis_server: RedisServer) -> None:
        listen(redis_server, "a")
        await running.queue.rest()
        running.queue.put([Event("a", '{"é": "☃"}'.encode(), taken=True), EVENT])
        running.queue.store("key", "välue")
        frozen = orjson.loads(orjson.dumps(running.queue.freeze()))
        successor = Running(redis_server)
        successor.queue.inherit(frozen)
        assert (successor.queue.pending, successor.queue.queued_bytes) == (2, running.queue.queued_bytes)
        await eventually(lambda: not successor.queue.pending)
        with redis_server.client() as client:
            await eventually(lambda: client.get("key") == "välue".encode())
        assert (successor.outcomes, running.outcomes) == ({"sent": 2}, {})
        await successor.stop()
