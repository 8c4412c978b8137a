"""Holds are counted here, registered once in Redis, and answered only when producers see them."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from awxfast.intake import groups as groups_module
from awxfast.intake import leaving
from awxfast.intake.groups import Groups
from awxfast.intake.idle_groups import LEAVE_DELAY, RELEASED
from awxfast.intake.names import ProcessNames
from awxfast.redis.connection import RedisConnection
from awxfast.redis.login import open_connection
from channels.layers import BaseChannelLayer
from channels_redis.core import RedisChannelLayer
from redis_servers import RedisServer
from remembering_fanout import RememberingFanout, eventually

NAMES = ProcessNames("asgi")
EXPIRY = 1000
LONG = "job_events-" + "9" * 88


def members_of(server: RedisServer, group: str) -> list[str]:
    with server.client() as client:
        return [member.decode() for member in client.zrange(NAMES.group_key(group), 0, -1)]


def registered(server: RedisServer, group: str) -> bool:
    return any(name.startswith(NAMES.non_local) for name in members_of(server, group))


def groups_in_set(server: RedisServer) -> set[str]:
    with server.client() as client:
        return {member.decode() for member in client.smembers(NAMES.groups_key)} - {NAMES.sentinel}


@contextlib.asynccontextmanager
async def attached(groups: Groups, server: RedisServer) -> AsyncIterator[RedisConnection]:
    """As the keeper of the connection does it."""
    connection = await open_connection(server.address)
    with contextlib.closing(connection):
        groups.attach(connection)
        await groups.register_all()
        yield connection
        groups.detach()


@pytest.fixture
def groups(fanout: RememberingFanout, monkeypatch: pytest.MonkeyPatch) -> Groups:
    monkeypatch.setattr(leaving, "LINGER", 0.0)
    return Groups(NAMES, fanout, EXPIRY)


@pytest.fixture
async def connected(groups: Groups, redis_server: RedisServer) -> AsyncIterator[RedisConnection]:
    async with attached(groups, redis_server) as connection:
        yield connection


@pytest.mark.usefixtures("connected")
class TestHold:
    async def test_registers_one_channel_that_names_the_group(self, groups: Groups, redis_server: RedisServer) -> None:
        before = time.time()
        await groups.hold(["job_events-42"])
        channel = f"specific.{NAMES.token}!g.job_events-42"
        with redis_server.client() as client:
            ((member, score),) = client.zrange("asgi:group:job_events-42", 0, -1, withscores=True)
            assert member.decode() == channel
            assert before <= score <= time.time()
            assert 0 < client.ttl("asgi:group:job_events-42") <= EXPIRY
        assert groups_in_set(redis_server) == {"job_events-42"}
        assert groups.held == 1

    async def test_tells_the_fan_out_before_producers_can_send(self, groups: Groups, fanout: RememberingFanout) -> None:
        holding = asyncio.ensure_future(groups.hold(["jobs-summary"]))
        await asyncio.sleep(0)
        assert not holding.done()
        assert fanout.channels == {"g.jobs-summary": "jobs-summary"}
        await holding

    async def test_long_group_gets_a_number_that_channels_accepts(
        self, groups: Groups, redis_server: RedisServer, fanout: RememberingFanout
    ) -> None:
        await groups.hold([LONG])
        (name,) = members_of(redis_server, LONG)
        assert BaseChannelLayer().require_valid_channel_name(name)
        assert fanout.channels == {name.partition("!")[2]: LONG}
        assert groups_in_set(redis_server) == {LONG}

    async def test_stock_producer_writes_one_name_however_many_hold(
        self,
        groups: Groups,
        redis_server: RedisServer,
        fanout: RememberingFanout,
        stock_layer: Callable[..., RedisChannelLayer],
    ) -> None:
        await asyncio.gather(*(groups.hold(["jobs-summary", LONG]) for _ in range(50)))
        layer = stock_layer(redis_server)
        await layer.group_send("jobs-summary", {"type": "internal.message", "text": "{}"})
        with redis_server.client() as client:
            fanout.publish_batch(client.zpopmin(NAMES.queue, 10))
        assert [message["__asgi_channel__"] for message in fanout.messages()] == [[NAMES.channel("g.jobs-summary")]]

    async def test_what_redis_has_answered_for_is_held_at_once(self, groups: Groups, redis_server: RedisServer) -> None:
        await groups.hold(["a", "b"])
        assert groups.hold_at_once(["a", "b"])
        groups.release(["a", "b"])
        groups.release(["b"])
        await eventually(lambda: not registered(redis_server, "b"))
        assert registered(redis_server, "a")

    async def test_nothing_is_held_at_once_where_one_group_is_unknown_or_not_answered_for(self, groups: Groups) -> None:
        await groups.hold(["a"])
        assert not groups.hold_at_once(["a", "new"])
        holding = asyncio.ensure_future(groups.hold(["asked"]))
        await asyncio.sleep(0)
        assert not groups.hold_at_once(["a", "asked"])
        await holding
        groups.release(["a", "asked"])
        assert groups.held == 0

    async def test_group_that_was_just_let_go_is_held_at_once_and_stays(
        self, groups: Groups, redis_server: RedisServer
    ) -> None:
        await groups.hold(["a"])
        groups.release(["a"])
        assert groups.hold_at_once(["a"])
        await asyncio.sleep(4 * LEAVE_DELAY)
        assert registered(redis_server, "a")

    async def test_name_twice_in_one_hold_counts_once(self, groups: Groups, redis_server: RedisServer) -> None:
        await groups.hold(["a", "a"])
        groups.release(["a"])
        await eventually(lambda: not registered(redis_server, "a"))

    @pytest.mark.parametrize("name", ["", "a b", "x" * 100, "a\n", "é"])
    async def test_refuses_what_would_break_producers(self, groups: Groups, name: str) -> None:
        with pytest.raises(ValueError, match="group name"):
            await groups.hold(["good", name])
        assert groups.held == 0

    async def test_many_groups_at_once(self, groups: Groups, redis_server: RedisServer) -> None:
        await groups.hold(f"job_events-{number}" for number in range(10_000))
        assert len(groups_in_set(redis_server)) == 10_000
        assert registered(redis_server, "job_events-9999")

    async def test_no_turn_of_the_loop_joins_more_than_its_share(
        self, groups: Groups, fanout: RememberingFanout
    ) -> None:
        wanted = [[f"g-{holder}-{number}" for number in range(1000)] for holder in range(5)]
        holding = [asyncio.ensure_future(groups.hold(names)) for names in wanted]
        most = before = 0
        while not all(hold.done() for hold in holding):
            await asyncio.sleep(0)
            most, before = max(most, len(fanout.channels) - before), len(fanout.channels)
        assert 0 < most <= 2 * groups_module.TURN_GROUPS
        assert groups.held == 5000

    async def test_hold_that_is_cancelled_between_its_parts_holds_nothing(
        self, groups: Groups, fanout: RememberingFanout
    ) -> None:
        holding = asyncio.ensure_future(groups.hold(f"g-{number}" for number in range(1000)))
        while not fanout.channels:  # noqa: ASYNC110 (each turn of the loop counts)
            await asyncio.sleep(0)
        assert len(fanout.channels) < 1000
        holding.cancel()
        await eventually(lambda: not fanout.channels)
        assert groups.held == 0


@pytest.mark.usefixtures("connected")
class TestRelease:
    async def test_last_one_leaves(self, groups: Groups, redis_server: RedisServer, fanout: RememberingFanout) -> None:
        await groups.hold(["a", "b"])
        await groups.hold(["a"])
        groups.release(["a", "b"])
        await eventually(lambda: not registered(redis_server, "b"))
        assert registered(redis_server, "a")
        groups.release(["a"])
        await eventually(lambda: not registered(redis_server, "a"))
        await eventually(lambda: not fanout.channels)
        assert groups_in_set(redis_server) == set()
        assert groups.held == 0

    async def test_no_turn_of_the_loop_leaves_more_than_its_share(
        self, groups: Groups, redis_server: RedisServer, fanout: RememberingFanout
    ) -> None:
        names = [f"g-{number}" for number in range(3000)]
        await groups.hold(names)
        groups.release(names)
        most, before = 0, len(groups._members)
        while len(groups._members) > 1:
            await asyncio.sleep(0)
            most, before = max(most, before - len(groups._members)), len(groups._members)
        assert 0 < most <= 2 * groups_module.TURN_GROUPS
        await eventually(lambda: not fanout.channels)
        assert not groups_in_set(redis_server)

    async def test_many_that_end_together_let_go_in_many_turns(self, groups: Groups) -> None:
        clients = [[f"g-{client}-{number}" for number in range(1000)] for client in range(20)]
        for names in clients:
            await groups.hold(names)
        held = [member for names in clients for member in map(groups._members.get, names) if member is not None]
        for names in clients:
            groups.release(names)
        most, before = 0, len(held)
        while before:
            await asyncio.sleep(0)
            count = sum(member.count for member in held)
            most, before = max(most, before - count), count
        assert 0 < most <= 2 * RELEASED * groups_module.TURN_GROUPS
        await eventually(lambda: groups.held == 0)

    async def test_reloaded_page_costs_redis_nothing(self, groups: Groups, redis_server: RedisServer) -> None:
        await groups.hold(["a"])
        with redis_server.client() as client:
            client.config_resetstat()
            groups.release(["a"])
            await groups.hold(["a"])
            await asyncio.sleep(3 * LEAVE_DELAY)
            assert not {"cmdstat_zrem", "cmdstat_zadd"} & client.info("commandstats").keys()
        assert registered(redis_server, "a")

    async def test_hold_while_the_leave_is_on_its_way_wins(
        self, groups: Groups, redis_server: RedisServer, fanout: RememberingFanout
    ) -> None:
        for group in ("a", LONG):
            await groups.hold([group])
            groups.release([group])
            groups._idle._go_on()
            await groups.hold([group])
            assert registered(redis_server, group)
            assert groups_in_set(redis_server) >= {group}
        await eventually(lambda: len(fanout.channels) == 2)
        assert set(fanout.channels.values()) == {"a", LONG}

    async def test_any_order_of_holds_and_releases_ends_right(
        self, groups: Groups, redis_server: RedisServer, fanout: RememberingFanout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("awxfast.intake.idle_groups.LEAVE_DELAY", 0.0)
        rng = random.Random(7)
        names = ["a", "b", LONG, "c-" + "d" * 90]

        async def browse(keep: list[str]) -> None:
            for _ in range(100):
                some = rng.sample(names, 2)
                await groups.hold(some)
                assert all(registered(redis_server, group) for group in some)
                groups.release(some)
                if rng.random() < 0.5:
                    await asyncio.sleep(rng.random() / 1000)
            await groups.hold(keep)

        await asyncio.gather(browse(["a"]), browse([LONG]), browse([]))
        await eventually(lambda: groups_in_set(redis_server) == {"a", LONG})
        await eventually(lambda: set(fanout.channels.values()) == {"a", LONG})
        assert [len(members_of(redis_server, group)) for group in names] == [1, 0, 1, 0]


@pytest.mark.usefixtures("connected")
class TestTrouble:
    async def test_hold_that_is_given_up_undoes_itself(
        self, groups: Groups, redis_server: RedisServer, fanout: RememberingFanout
    ) -> None:
        holding = asyncio.ensure_future(groups.hold(["a"]))
        await asyncio.sleep(0)
        holding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holding
        assert groups.held == 0
        await eventually(lambda: not fanout.channels and not registered(redis_server, "a"))

    async def test_who_waits_for_the_same_group_does_not_suffer(
        self, groups: Groups, redis_server: RedisServer
    ) -> None:
        first = asyncio.ensure_future(groups.hold(["a"]))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(groups.hold(["a"]))
        await asyncio.sleep(0)
        first.cancel()
        await second
        assert registered(redis_server, "a")

    async def test_many_groups_that_redis_refuses_are_one_line(
        self, groups: Groups, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        """One client may want a thousand of them."""
        names = [f"odd-{number}" for number in range(100)]
        with redis_server.client() as client:
            for name in names:
                client.set(NAMES.group_key(name), "not a zset")
            holding = asyncio.ensure_future(groups.hold(names))
            await eventually(lambda: sum(one.refusal is not None for one in groups._members.values()) == len(names))
            assert sum("refuses to register group" in message for message in caplog.messages) == 1
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)

    async def test_group_that_redis_refuses_delays_nobody_else(
        self, groups: Groups, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        with redis_server.client() as client:
            client.set(NAMES.group_key("odd"), "not a zset")
            holding = asyncio.ensure_future(groups.hold(["odd"]))
            await groups.hold(["a"])
            await groups.register_refused()
            await groups.hold(["b"])
            assert not holding.done()
            assert sum("refuses to register group odd" in message for message in caplog.messages) == 1
            client.delete(NAMES.group_key("odd"))
        await groups.register_refused()
        await holding
        assert registered(redis_server, "odd")


class TestWithoutConnection:
    async def test_hold_waits_until_redis_is_back(self, groups: Groups, redis_server: RedisServer) -> None:
        holding = asyncio.ensure_future(groups.hold(["a"]))
        await asyncio.sleep(0.01)
        assert not holding.done()
        async with attached(groups, redis_server):
            await holding
            assert registered(redis_server, "a")

    async def test_site_that_waits_for_one_group_goes_on_in_many_turns(
        self, groups: Groups, redis_server: RedisServer
    ) -> None:
        """Redis has answered for all of them at once."""
        holding = [asyncio.ensure_future(groups.hold(["jobs-summary"])) for _ in range(2000)]
        await asyncio.sleep(0)
        await eventually(lambda: groups._members["jobs-summary"].count == 2000)
        counts: list[int] = []

        async def count_turns() -> None:
            while sum(counts) < 2000:
                await asyncio.sleep(0)
                counts.append(sum(hold.done() for hold in holding) - sum(counts))

        counting = asyncio.ensure_future(count_turns())
        async with attached(groups, redis_server):
            await asyncio.gather(counting, *holding)
        assert max(counts) <= 2 * groups_module.TURN_GROUPS

    async def test_hold_of_a_group_that_others_hold_waits_too(self, groups: Groups, redis_server: RedisServer) -> None:
        async with attached(groups, redis_server):
            await groups.hold(["a"])
        holding = asyncio.ensure_future(groups.hold(["a"]))
        await asyncio.sleep(0.01)
        assert not holding.done()
        async with attached(groups, redis_server):
            await holding

    async def test_leave_is_made_up_for(
        self, groups: Groups, redis_server: RedisServer, fanout: RememberingFanout
    ) -> None:
        async with attached(groups, redis_server):
            await groups.hold(["a", "b"])
        groups.release(["a", "b"])
        groups._idle._go_on()
        holding = asyncio.ensure_future(groups.hold(["b"]))
        async with attached(groups, redis_server):
            await holding
            assert not registered(redis_server, "a")
            assert registered(redis_server, "b")
            await eventually(lambda: set(fanout.channels) == {"g.b"})

    async def test_what_redis_never_heard_of_is_forgotten_at_once(
        self, groups: Groups, fanout: RememberingFanout
    ) -> None:
        for _ in range(100):
            holding = asyncio.ensure_future(groups.hold([LONG]))
            await asyncio.sleep(0)
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)
            groups._idle._go_on()
        assert fanout.channels == {}
        assert not groups._leaving.unanswered

    async def test_connection_that_breaks_in_between_is_no_answer(
        self, groups: Groups, redis_server: RedisServer
    ) -> None:
        async with attached(groups, redis_server) as connection:
            holding = asyncio.ensure_future(groups.hold(["a"]))
            await asyncio.sleep(0)
            connection.close()
            await asyncio.sleep(0.01)
            assert not holding.done()
        async with attached(groups, redis_server):
            await holding


@pytest.mark.usefixtures("connected")
class TestRegisterAll:
    async def test_counts_what_had_vanished(self, groups: Groups, redis_server: RedisServer) -> None:
        await groups.hold(["a", "b", LONG])
        assert await groups.register_all() == 0
        with redis_server.client() as client:
            client.delete(NAMES.group_key("a"), NAMES.group_key(LONG))
        assert await groups.register_all() == 2
        assert all(registered(redis_server, group) for group in ("a", "b", LONG))

    async def test_no_turn_of_the_loop_registers_more_than_its_share(
        self, groups: Groups, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await groups.hold([f"g-{number}" for number in range(3000)])
        sent = 0
        send_joins = groups._joining.send_joins

        def count(members: list[Any]) -> Any:
            nonlocal sent
            sent += len(members)
            return send_joins(members)

        monkeypatch.setattr(groups._joining, "send_joins", count)
        registering = asyncio.ensure_future(groups.register_all())
        most = before = 0
        while not registering.done():
            await asyncio.sleep(0)
            most, before = max(most, sent - before), sent
        assert sent == 3001
        assert most <= 2 * groups_module.TURN_GROUPS
        assert await registering == 0

    async def test_group_that_is_left_while_all_are_registered_does_not_come_back(
        self, groups: Groups, redis_server: RedisServer
    ) -> None:
        names = [f"g-{number}" for number in range(1000)]
        await groups.hold(names)
        registering = asyncio.ensure_future(groups.register_all())
        await asyncio.sleep(0)
        groups.release(names[-50:])
        groups._idle._go_on()
        await registering
        await eventually(lambda: len(groups_in_set(redis_server)) == 950)
        assert not any(registered(redis_server, name) for name in names[-50:])

    async def test_new_group_has_not_vanished(self, groups: Groups) -> None:
        holding = asyncio.ensure_future(groups.hold(["new"]))
        await asyncio.sleep(0)
        assert await groups.register_all() == 0
        await holding

    async def test_renews_the_join_time_and_the_expiry(self, groups: Groups, redis_server: RedisServer) -> None:
        await groups.hold(["a"])
        with redis_server.client() as client:
            key, name = NAMES.group_key("a"), NAMES.channel("g.a")
            client.zadd(key, {name: 1.0})
            client.expire(key, 5)
            await groups.register_all()
            assert client.zscore(key, name) > 1.0
            assert client.ttl(key) > 5

    async def test_leaving_thousands_leaves_nothing(self, groups: Groups, redis_server: RedisServer) -> None:
        await groups.hold([f"g{number}" for number in range(2_500)])
        with redis_server.client() as client:
            client.delete(NAMES.group_key("g7"))
            client.set(NAMES.group_key("g7"), "of another type")
            await groups.leave_all()
            assert client.keys("*") == [NAMES.group_key("g7").encode()]

    async def test_who_waits_for_a_turn_while_all_is_left_joins_nothing(
        self, groups: Groups, redis_server: RedisServer
    ) -> None:
        joining = [
            asyncio.ensure_future(groups.hold([f"g{each}.{number}" for each in range(150)])) for number in range(9)
        ]
        await asyncio.sleep(0)
        await groups.leave_all()
        groups.end_rest()  # of a hand-over that comes to nothing meanwhile
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*joining), 0.2)
        with redis_server.client() as client:
            assert client.keys("*") == []

    async def test_user_without_the_right_to_scripts_leaves_too(
        self, groups: Groups, redis_server: RedisServer
    ) -> None:
        await groups.hold(["a", "b"])
        with redis_server.client() as client:
            client.execute_command("ACL", "SETUSER", "default", "-eval")
            try:
                await groups.leave_all()
                assert client.keys("*") == []
            finally:
                client.execute_command("ACL", "SETUSER", "default", "+eval")

    async def test_leaving_everything_leaves_nothing(self, groups: Groups, redis_server: RedisServer) -> None:
        await groups.hold(["a", LONG])
        groups.release(["a"])
        await groups.leave_all()
        with redis_server.client() as client:
            remaining: list[Any] = client.keys("*")
        assert remaining == []


class Watching:
    """Is told what is held."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def note_held(self, groups: Sequence[str]) -> None:
        self.told += [("held", group) for group in groups]

    def note_left(self, groups: Sequence[str]) -> None:
        self.told += [("left", group) for group in groups]


class TestWatcher:
    @pytest.mark.usefixtures("connected")
    async def test_it_hears_of_all_that_are_held_and_of_each_change_once(self, groups: Groups) -> None:
        await groups.hold(["a"])
        watcher = Watching()
        groups.watch(watcher)
        await groups.hold(["a", "b"])
        groups.release(["a", "b"])
        groups.release(["a"])
        await eventually(lambda: len(watcher.told) == 4)
        assert watcher.told[:2] == [("held", "a"), ("held", "b")]
        assert sorted(watcher.told[2:]) == [("left", "a"), ("left", "b")]

    async def test_it_hears_of_groups_while_redis_is_away(self, groups: Groups) -> None:
        watcher = Watching()
        groups.watch(watcher)
        holding = asyncio.ensure_future(groups.hold(["a"]))
        await eventually(lambda: watcher.told == [("held", "a")])
        holding.cancel()
        await eventually(lambda: watcher.told == [("held", "a"), ("left", "a")])

    async def test_it_hears_of_groups_that_another_process_had(self, groups: Groups) -> None:
        watcher = Watching()
        groups.watch(watcher)
        groups.inherit({"members": [["a", "g.a", True], ["b", "g.b", True]], "next": 3})
        groups.hold_inherited(["a"])
        groups.end_inheritance()
        await eventually(lambda: watcher.told == [("held", "a"), ("held", "b"), ("left", "b")])
