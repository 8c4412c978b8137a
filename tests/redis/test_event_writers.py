"""Events for groups on several Redis: stock consumers get them wherever their queues are, in order."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from awxfast.redis.event_writer import Loss
from awxfast.redis.event_writers import EventWriters, open_event_writer
from awxfast.redis.group_writer import Event, Sent
from awxfast.redis.reconnect import Outages
from awxfast.settings import LayerSettings, default_layer
from awxfast.wire.entry_bodies import make_entry_format
from awxfast.wire.host_choice import choose_host
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer
from redis_servers import HANG, RedisServer, group_on, group_published_on
from remembering_fanout import eventually

LAYER = LayerSettings(group_expiry=86_400)


class Running:
    """Writers, and what became of events."""

    def __init__(
        self,
        servers: Sequence[RedisServer],
        own: Sequence[str] = ("", "", ""),
        layer: LayerSettings = LAYER,
    ) -> None:
        self.outcomes: Counter[str] = Counter()
        self.crowds: list[bool] = []
        hosts = [(server.address, Outages(server.address), name) for server, name in zip(servers, own, strict=True)]
        self.queue = open_event_writer("events", layer, make_entry_format(layer), hosts, self, self.crowds.append)
        self.task = asyncio.create_task(self.queue.run())

    def note_sent(self, events: Sequence[Event], sent: Sent) -> None:
        self.outcomes.update(sent=len(events), taken=sum(sent.taken), full=sent.full, unreached=sent.unreached)

    def note_unheard(self, events: Sequence[Event]) -> None:
        self.outcomes["unheard"] += len(events)

    def note_lost(self, events: Sequence[Event], reason: Loss) -> None:
        self.outcomes[reason] += len(events)

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def running(three_redis: list[RedisServer]) -> AsyncIterator[Running]:
    running = Running(three_redis)
    await running.queue.wait_up()
    yield running
    await running.stop()


def stock_layer(servers: Sequence[RedisServer], queue_on: int) -> RedisChannelLayer:
    """A stock process whose queue is on this server."""
    while True:
        layer = RedisChannelLayer(hosts=[server.url for server in servers], capacity=10_000)
        if choose_host(f"specific.{layer.client_prefix}!", len(servers)) == queue_on:
            return layer


async def receive(layer: RedisChannelLayer, channel: str) -> Any:
    async with asyncio.timeout(HANG):
        return (await layer.receive(channel))["text"]


class TestReaders:
    async def test_consumers_get_events_wherever_their_queue_is(
        self,
        running: Running,
        three_redis: list[RedisServer],
    ) -> None:
        groups = [group_on(host) for host in range(3)]
        layers = [stock_layer(three_redis, queue) for queue in range(3)]
        channels = [await layer.new_channel() for layer in layers]
        for layer, channel in zip(layers, channels, strict=True):
            for group in groups:
                await layer.group_add(group, channel)
        for number in range(30):
            running.queue.put([Event(group, f"{group} {number}".encode()) for group in groups])
        for layer, channel in zip(layers, channels, strict=True):
            texts = [await receive(layer, channel) for _ in range(90)]
            for group in groups:
                assert [t for t in texts if t.startswith(f"{group} ")] == [f"{group} {n}" for n in range(30)]
        assert running.outcomes == {"sent": 90, "taken": 270, "full": 0, "unreached": 0}
        for layer in layers:
            await layer.close_pools()

    async def test_group_of_nobody_is_unheard_and_own_queue_is_left_out(
        self,
        three_redis: list[RedisServer],
    ) -> None:
        group = group_on(1)
        running = Running(three_redis, ["", "specific.own!", ""])
        await running.queue.wait_up()
        with three_redis[1].client() as client:
            client.zadd(f"asgi:group:{group}", {"specific.own!g.x": 2e9})
        running.queue.put([Event(group, b"{}"), Event(group_on(0), b"{}")])
        await eventually(lambda: running.outcomes["unheard"] == 2)
        assert running.outcomes == {"unheard": 2}
        await running.stop()


class TestOutage:
    async def test_group_on_another_redis_goes_on(
        self,
        running: Running,
        three_redis: list[RedisServer],
    ) -> None:
        assert isinstance(running.queue, EventWriters)
        layer = stock_layer(three_redis, 0)
        channel = await layer.new_channel()
        await layer.group_add(group_on(0), channel)
        three_redis[2].kill()
        running.queue.put([Event(group_on(2), b"waits"), Event(group_on(0), b"goes on")])
        assert await receive(layer, channel) == "goes on"
        await eventually(lambda: not running.queue.up)
        assert running.queue.pending == 1
        assert running.queue.freeze()["events"] == [[group_on(2), "waits", False]]
        await layer.close_pools()

    async def test_queue_on_one_that_is_away_costs_no_other_queue(
        self,
        running: Running,
        three_redis: list[RedisServer],
    ) -> None:
        group, near, far = group_on(0), stock_layer(three_redis, 0), stock_layer(three_redis, 1)
        channel = await near.new_channel()
        await near.group_add(group, channel)
        await far.group_add(group, await far.new_channel())
        three_redis[1].kill()
        await eventually(lambda: not running.queue.up)
        running.queue.put([Event(group, b"{}")])
        assert await receive(near, channel) == "{}"
        await eventually(lambda: running.outcomes["sent"] == 1)
        assert running.outcomes == {"sent": 1, "taken": 1, "full": 0, "unreached": 1}
        for layer in (near, far):
            await layer.close_pools()


class TestNextProcess:
    async def test_what_waits_goes_to_it(self, three_redis: list[RedisServer]) -> None:
        first, second = Running(three_redis), Running(three_redis)
        await first.queue.wait_up()
        await first.queue.rest()
        first.queue.put([Event(group_on(host), b"{}") for host in range(3)])
        assert first.queue.store("key", "value")
        second.queue.inherit(first.queue.freeze())
        await eventually(lambda: second.outcomes["unheard"] == 3)
        with three_redis[0].client() as client:
            await eventually(lambda: client.get("key") == b"value")
        first.queue.give_up()
        assert first.outcomes == {"stopped": 3}
        for one in (first, second):
            await one.stop()


async def test_events_of_a_pubsub_layer_are_published_where_stock_listens(three_redis: list[RedisServer]) -> None:
    running = Running(three_redis, layer=default_layer("pubsub"))
    await running.queue.wait_up()
    stock = RedisPubSubChannelLayer(hosts=[server.url for server in three_redis])
    groups = [group_published_on(host) for host in range(3)]
    channel = await stock.new_channel()
    for group in groups:
        await stock.group_add(group, channel)
    running.queue.put([Event(group, group.encode(), False) for group in groups])
    async with asyncio.timeout(HANG):
        texts = {(await stock.receive(channel))["text"] for _ in groups}
    assert texts == {*groups}
    await eventually(lambda: running.outcomes["sent"] == running.outcomes["taken"] == 3)
    await running.stop()
    await stock.flush()
