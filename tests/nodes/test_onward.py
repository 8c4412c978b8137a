"""Peers' events on their way to the other members of their groups: once, in order, and each counted once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest
from awxfast.nodes.onward import Onward
from awxfast.redis import event_writer
from awxfast.redis.reconnect import Outages
from awxfast.settings import LayerSettings
from awxfast.wire.entry_bodies import make_entry_format
from channels_redis.core import RedisChannelLayer
from redis_servers import HANG, RedisServer
from remembering_fanout import eventually

OWN = "specific.own!"


class Ledger:
    """Counts as the fan-out does."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def count_relayed(self, routed: int, no_subscriber: int) -> None:
        self.counts.update(routed=routed, no_subscriber=no_subscriber)

    def count_gap(self, reason: str, at_most: int) -> None:
        self.counts[reason] += at_most


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def make_onward(
    server: RedisServer, ledger: Ledger, capacity: int = 10_000, tell_caught_up: Callable[[], None] = lambda: None
) -> Onward:
    layer = LayerSettings(capacity=capacity, group_expiry=86_400)
    return Onward(
        layer, make_entry_format(layer), [(server.address, Outages(server.address), OWN)], ledger, tell_caught_up
    )


@pytest.fixture
async def onward(redis_server: RedisServer, ledger: Ledger) -> AsyncIterator[Onward]:
    one = make_onward(redis_server, ledger)
    one.start()
    await eventually(lambda: one._queue.up)
    yield one
    await one.stop()


@pytest.fixture
async def layer(redis_server: RedisServer) -> AsyncIterator[RedisChannelLayer]:
    stock = RedisChannelLayer(hosts=[redis_server.url], capacity=10_000)
    yield stock
    await stock.close_pools()


class TestEvents:
    async def test_others_get_them_in_order_and_we_do_not(
        self, onward: Onward, ledger: Ledger, layer: RedisChannelLayer
    ) -> None:
        channel = await layer.new_channel()
        await layer.group_add("a", channel)
        await layer.group_add("a", OWN + "g.a")
        texts = [str(number) for number in range(600)]
        onward.offer([("a", text.encode(), False) for text in texts])
        async with asyncio.timeout(HANG):
            assert [(await layer.receive(channel))["text"] for _ in texts] == texts
        await eventually(lambda: ledger.counts["routed"] == 600)
        assert not await layer.connection(0).exists("asgi" + OWN)

    async def test_each_is_counted_once(self, onward: Onward, ledger: Ledger, layer: RedisChannelLayer) -> None:
        await layer.group_add("heard", await layer.new_channel())
        taken = [("heard", b"", True), ("unheard", b"", True)]
        onward.offer([*taken, ("heard", b"", False), ("unheard", b"", False), ("unheard", b"", False)])
        await eventually(lambda: sum(ledger.counts.values()) == 3)
        assert ledger.counts == {"routed": 1, "no_subscriber": 2}

    async def test_full_queue_is_a_gap(
        self, redis_server: RedisServer, ledger: Ledger, layer: RedisChannelLayer
    ) -> None:
        await layer.group_add("a", await layer.new_channel())
        onward = make_onward(redis_server, ledger, capacity=2)
        onward.start()
        await eventually(lambda: onward._queue.up)
        onward.offer([("a", b"", False)] * 5)
        await eventually(lambda: ledger.counts["peer_queue_full"] == 3)
        assert ledger.counts == {"routed": 2, "no_subscriber": 3, "peer_queue_full": 3}
        await onward.stop()


class TestRedisAway:
    async def test_events_wait_and_those_that_find_no_room_are_a_gap(
        self, redis_server: RedisServer, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(event_writer, "QUEUE_EVENTS", 2)
        onward = make_onward(redis_server, ledger)
        onward.offer([("a", b"", False), ("a", b"", True)])
        assert ledger.counts == {}
        onward.offer([("a", b"", False), ("a", b"", False)])
        assert ledger.counts == {"routed": 0, "no_subscriber": 1, "peer_events_overflow": 2}
        await onward.stop()
        assert ledger.counts == {
            "routed": 0,
            "no_subscriber": 3,
            "peer_events_overflow": 2,
            "peer_events_stopped": 2,
        }

    async def test_links_are_not_held_while_it_is_away(
        self, redis_server: RedisServer, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """This process's own browsers need no Redis for what peers send."""
        monkeypatch.setattr(event_writer, "CROWDED_EVENTS", 1)
        onward = make_onward(redis_server, ledger)
        onward.offer([("a", b"", False)] * 3)
        assert not onward.is_full
        onward._queue._kept.works()
        onward.offer([("a", b"", False)])
        assert onward.is_full
        await onward.stop()

    async def test_links_that_wait_are_told_when_they_need_no_longer(
        self, redis_server: RedisServer, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(event_writer, "CROWDED_EVENTS", 1)
        told = asyncio.Event()
        onward = make_onward(redis_server, ledger, tell_caught_up=told.set)
        onward._queue._kept.works()
        onward.offer([("a", b"", False)] * 3)
        assert onward.is_full
        assert not told.is_set()
        onward.start()
        await asyncio.wait_for(told.wait(), HANG)
        assert not onward.is_full
        await onward.stop()

    async def test_what_came_during_a_restart_is_passed_on_to_who_comes_back(
        self, onward: Onward, redis_server: RedisServer, layer: RedisChannelLayer, ledger: Ledger
    ) -> None:
        redis_server.kill()
        await eventually(lambda: not onward._queue.up)
        texts = [str(number) for number in range(300)]
        onward.offer([("a", text.encode(), False) for text in texts])
        await asyncio.to_thread(redis_server.start)
        channel = await layer.new_channel()
        await layer.group_add("a", channel)
        async with asyncio.timeout(HANG):
            assert [(await layer.receive(channel))["text"] for _ in texts] == texts
        await eventually(lambda: ledger.counts == {"routed": 300, "no_subscriber": 0})

    async def test_newest_metrics_wait(self, onward: Onward, redis_server: RedisServer) -> None:
        redis_server.kill()
        await eventually(lambda: not onward._queue.up)
        onward.store("awx_metrics_instance_a", "old")
        onward.store("awx_metrics_instance_a", "new")
        await asyncio.to_thread(redis_server.start)
        with redis_server.client() as client:
            await eventually(lambda: client.get("awx_metrics_instance_a") == b"new")

    @pytest.mark.parametrize(
        ("refusal", "allowance", "said"),
        [
            (("ACL", "SETUSER", "default", "-zadd"), ("ACL", "SETUSER", "default", "+zadd"), "Redis refuses events"),
            (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE"), "refuses: READONLY"),
        ],
    )
    async def test_redis_that_refuses_is_said_once(
        self,
        onward: Onward,
        ledger: Ledger,
        layer: RedisChannelLayer,
        caplog: pytest.LogCaptureFixture,
        refusal: tuple[str, ...],
        allowance: tuple[str, ...],
        said: str,
    ) -> None:
        await layer.group_add("a", await layer.new_channel())
        await layer.connection(0).execute_command(*refusal)
        for count in (1, 2):
            onward.offer([("a", b"x", False)])
            await eventually(lambda count=count: ledger.counts["peer_events_refused"] == count)
        await layer.connection(0).execute_command(*allowance)
        assert caplog.text.count(said) == 1


class TestMetrics:
    async def test_number_of_keys_that_wait_is_bounded(
        self, redis_server: RedisServer, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(event_writer, "MOST_VALUES", 2)
        onward = make_onward(redis_server, ledger)
        for key in ("a", "b", "c", "a"):
            onward.store(key, "")
        assert sorted(onward._queue._values) == ["a", "b"]
        assert "peer_metrics" in ledger.counts
        await onward.stop()

    async def test_their_bytes_are_bounded_and_the_newest_of_each_waits(
        self, redis_server: RedisServer, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A node whose Redis is away would keep up to 4 MiB for each instance that a peer invents."""
        monkeypatch.setattr(event_writer, "VALUES_BYTES", 100)
        onward = make_onward(redis_server, ledger)
        for number in range(100):
            onward.store(f"awx_metrics_instance_{number % 20}", f"{number:02}" * 5)
        assert onward._queue._values == {
            f"awx_metrics_instance_{number}": f"{80 + number}".encode() * 5 for number in range(10)
        }
        assert "peer_metrics" in ledger.counts
        await onward.stop()
