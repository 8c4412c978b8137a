"""The process's names stay in Redis through wipes, restarts and time, and leave with it."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from awxfast.errors import RedisUnavailable
from awxfast.intake import presence
from awxfast.intake import registration as registration_module
from awxfast.intake.names import ProcessNames
from awxfast.intake.processes import ProcessIdentity
from awxfast.redis.address import RedisAddress
from awxfast.redis.commands import Argument
from awxfast.redis.connection import RedisConnection
from channels_redis.core import RedisChannelLayer
from intake.running_registration import running
from redis_servers import RedisServer
from remembering_fanout import RememberingFanout, eventually

LayerMaker = Callable[..., RedisChannelLayer]


def wipe(server: RedisServer, prefix: str = "asgi") -> None:
    """What building AWX's ASGI application does."""
    with server.client() as client:
        for key in client.scan_iter(f"{prefix}:*"):
            client.delete(key)


def stands(server: RedisServer, names: ProcessNames, *groups: str) -> bool:
    """Whether producers find the process in each of the groups, and others its keys."""
    with server.client() as client:
        found = [client.zscore(names.group_key(group), names.channel(f"g.{group}")) for group in groups]
        return all(found) and bool(client.exists(names.process_key)) and bool(client.exists(names.groups_key))


class TestWipe:
    async def test_case_c23_deleted_groups_are_registered_again(
        self, redis_server: RedisServer, fanout: RememberingFanout, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with running(redis_server.address, fanout) as process:
            await process.groups.hold(["job_events-42", "jobs-summary"])
            wipe(redis_server)
            assert not stands(redis_server, process.names, "job_events-42")
            began = time.monotonic()
            await eventually(lambda: stands(redis_server, process.names, "job_events-42", "jobs-summary"))
            assert time.monotonic() - began < 10, "2 s on a machine that has nothing else to do"
            await eventually(lambda: caplog.messages)
            assert process.registration.repaired == 3
            assert "3 registrations had vanished from Redis" in caplog.text
            ((reason, at_most),) = fanout.gap_sizes
            assert reason == "wiped"
            assert at_most > 0

    async def test_what_the_wipe_deletes_after_the_repair_is_repaired_too(
        self, redis_server: RedisServer, fanout: RememberingFanout
    ) -> None:
        async with running(redis_server.address, fanout) as process:
            await process.groups.hold(["a", "b"])
            wipe(redis_server)
            await eventually(lambda: stands(redis_server, process.names, "b"))
            with redis_server.client() as client:
                client.delete(process.names.group_key("b"))
            await eventually(lambda: process.registration.repaired == 4)
            assert stands(redis_server, process.names, "a", "b")

    async def test_hold_during_a_wipe_is_answered_and_stands(
        self, redis_server: RedisServer, fanout: RememberingFanout
    ) -> None:
        async with running(redis_server.address, fanout) as process:
            await process.groups.hold(["a"])
            wipe(redis_server)
            await process.groups.hold(["a", "new"])
            await eventually(lambda: stands(redis_server, process.names, "a", "new"))

    async def test_another_prefix_is_never_met(self, redis_server: RedisServer, fanout: RememberingFanout) -> None:
        async with running(redis_server.address, fanout, prefix="site-b") as process:
            await process.groups.hold(["a"])
            with redis_server.client() as client:
                assert client.exists("site-b:group:a")
            wipe(redis_server)
            await asyncio.sleep(1.2)
            assert process.registration.repaired == 0
        assert not fanout.gaps

    async def test_another_database_is_never_met(self, redis_server: RedisServer, fanout: RememberingFanout) -> None:
        address = RedisAddress.parse(redis_server.url + "?db=1")
        async with running(address, fanout) as process:
            await process.groups.hold(["a"])
            with redis_server.client() as client:
                assert client.keys("*") == []
            with redis_server.client(db=1) as client:
                assert client.exists("asgi:group:a")


class TestSingleKeys:
    @pytest.mark.parametrize("how", ["delete", "rename"])
    async def test_group_that_goes_alone_comes_back_as_after_a_wipe(
        self, redis_server: RedisServer, fanout: RememberingFanout, how: str
    ) -> None:
        async with running(redis_server.address, fanout) as process:
            await process.groups.hold(["a", "b"])
            await eventually(lambda: not process.registration._confirmations_left)
            with redis_server.client() as client:
                key = process.names.group_key("a")
                client.delete(key) if how == "delete" else client.rename(key, "elsewhere")
            await eventually(lambda: stands(redis_server, process.names, "a", "b"))
            await eventually(lambda: process.registration.repaired == 1)
            assert fanout.gaps == {"wiped": 1}

    async def test_own_keys_that_go_come_back(self, redis_server: RedisServer, fanout: RememberingFanout) -> None:
        async with running(redis_server.address, fanout) as process:
            await process.groups.hold(["a"])
            with redis_server.client() as client:
                for key in process.names.kinds:
                    client.rename(key, "elsewhere")
                    await eventually(lambda: client.exists(key))  # noqa: B023
                assert client.smembers(process.names.groups_key) == {b"a", process.names.sentinel.encode()}

    async def test_own_keys_of_another_type_are_made_anew_and_said_once(
        self, redis_server: RedisServer, fanout: RememberingFanout, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with running(redis_server.address, fanout) as process:
            await process.groups.hold(["a"])
            kinds = process.names.kinds
            with redis_server.client() as client:
                for key in kinds:
                    client.delete(key)
                    client.lpush(key, "x")
                await eventually(lambda: {key: client.type(key).decode() for key in kinds} == kinds)
            await eventually(lambda: stands(redis_server, process.names, "a"))
            said = [message for message in caplog.messages if "overwritten" in message]
            assert len(said) == len(kinds)
            assert process.registration.up


class TestLossOfEverything:
    async def test_flushall(self, redis_server: RedisServer, fanout: RememberingFanout) -> None:
        async with running(redis_server.address, fanout) as process:
            await process.groups.hold(["a", "b"])
            with redis_server.client() as client:
                client.flushall()
            await eventually(lambda: stands(redis_server, process.names, "a", "b"))
            with redis_server.client() as client:
                assert client.smembers(process.names.groups_key) == {b"a", b"b", process.names.sentinel.encode()}
                assert client.get(process.names.prefix_key) == b"asgi"
            await eventually(lambda: fanout.gaps["wiped"] == 1)

    async def test_killed_redis_that_comes_back_empty(
        self, redis_server: RedisServer, fanout: RememberingFanout
    ) -> None:
        async with running(redis_server.address, fanout) as process:
            await process.groups.hold(["a"])
            redis_server.kill()
            await eventually(lambda: not process.registration.up)
            holding = asyncio.ensure_future(process.groups.hold(["a", "b"]))
            await asyncio.sleep(0.1)
            assert not holding.done()
            redis_server.start()
            await holding
            assert stands(redis_server, process.names, "a", "b")
            await eventually(lambda: process.registration.up)
            assert fanout.gaps == {"wiped": 1}
            assert process.registration.repaired == 2, "the sentinel and a; b is new"

    async def test_cut_connection_alone_loses_no_name_and_counts_no_gap(
        self, redis_server: RedisServer, fanout: RememberingFanout
    ) -> None:
        async with running(redis_server.address, fanout) as process:
            await process.groups.hold(["a"])
            with redis_server.client() as client:
                client.client_kill_filter(_type="normal", skipme=True)
            await eventually(lambda: not process.registration.up)
            await process.registration.wait_up()
            assert stands(redis_server, process.names, "a")
            assert process.registration.repaired == 0
        assert not fanout.gaps

    async def test_bound_of_the_gap_leaves_out_the_time_without_redis(
        self, redis_server: RedisServer, fanout: RememberingFanout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("awxfast.redis.reconnect.LONGEST_PAUSE", 0.05)
        async with running(redis_server.address, fanout) as process:
            redis_server.kill()
            await eventually(lambda: not process.registration.up)
            process.registration._seen_at -= 3_600
            redis_server.start()
            await process.registration.wait_up()
        ((_, at_most),) = fanout.gap_sizes
        assert at_most < 600 * 50_000

    async def test_redis_that_takes_no_writes_counts_as_away(
        self, redis_server: RedisServer, fanout: RememberingFanout, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with running(redis_server.address, fanout) as process:
            with redis_server.client() as client:
                client.flushall()
                client.replicaof("127.0.0.1", 1)
                await eventually(lambda: not process.registration.up)
                await eventually(lambda: "READONLY" in caplog.text)
                holding = asyncio.ensure_future(process.groups.hold(["a"]))
                await asyncio.sleep(0.1)
                assert not holding.done()
                client.replicaof("NO", "ONE")
            await holding
            assert stands(redis_server, process.names, "a")


class TestTime:
    @pytest.mark.parametrize(
        ("group_expiry", "seconds"), [(2, 6.0), pytest.param(5, 30.0, marks=pytest.mark.long, id="as in the case")]
    )
    async def test_case_c22_memberships_outlive_a_short_group_expiry(
        self,
        redis_server: RedisServer,
        fanout: RememberingFanout,
        stock_layer: LayerMaker,
        group_expiry: int,
        seconds: float,
    ) -> None:
        layer = stock_layer(redis_server, group_expiry=group_expiry)
        async with running(redis_server.address, fanout, group_expiry=group_expiry) as process:
            await process.groups.hold(["a"])
            sent = 0
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                await layer.group_send("a", {"type": "internal.message", "text": str(sent)})
                sent += 1
                await asyncio.sleep(0.05)
            with redis_server.client() as client:
                assert client.zcard(process.names.queue) == sent
            assert process.registration.repaired == 0

    async def test_case_c22_names_of_a_killed_process_expire_by_themselves(
        self, redis_server: RedisServer, fanout: RememberingFanout
    ) -> None:
        async with running(redis_server.address, fanout, group_expiry=1) as process:
            await process.groups.hold(["a"])
            process.task.cancel()
            with redis_server.client() as client:
                await eventually(lambda: not client.exists("asgi:group:a"))

    async def test_single_name_that_vanished_is_found_at_the_next_renewal(
        self, redis_server: RedisServer, fanout: RememberingFanout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(registration_module, "RENEW_INTERVAL", 0.2)
        async with running(redis_server.address, fanout) as process:
            await process.groups.hold(["a"])
            with redis_server.client() as client:
                client.delete(process.names.group_key("a"))
            await eventually(lambda: stands(redis_server, process.names, "a"))
            await eventually(lambda: fanout.gaps["wiped"] == 1)
            assert process.registration.repaired == 1

    async def test_process_key_tells_who_and_is_renewed(
        self, redis_server: RedisServer, fanout: RememberingFanout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(presence, "ANNOUNCE_INTERVAL", 0.1)
        async with running(redis_server.address, fanout) as process:
            with redis_server.client() as client:
                fields: dict[bytes, bytes] = client.hgetall(process.names.process_key)
                assert ProcessIdentity.from_fields(fields) == ProcessIdentity.own()
                assert 0 < client.ttl(process.names.process_key) <= 30
                client.expire(process.names.process_key, 5)
                await eventually(lambda: client.ttl(process.names.process_key) > 5)


class TestQueueDepth:
    async def test_is_seen(self, redis_server: RedisServer, fanout: RememberingFanout) -> None:
        async with running(redis_server.address, fanout) as process:
            with redis_server.client() as client:
                client.zadd(process.names.queue, {str(number): number for number in range(7)})
            await eventually(lambda: process.registration.depth == 7)
            assert not fanout.gaps

    async def test_full_queue_is_a_gap_because_producers_throw_away(
        self, redis_server: RedisServer, fanout: RememberingFanout
    ) -> None:
        async with running(redis_server.address, fanout, capacity=7) as process:
            with redis_server.client() as client:
                client.zadd(process.names.queue, {str(number): number for number in range(7)})
            await eventually(lambda: fanout.gaps["queue_full"])
            assert fanout.gap_sizes[0][1] > 0
            assert process.registration.depth == 7


class TestOtherProcesses:
    async def test_expired_ones_get_time_to_return_after_an_outage(
        self, redis_server: RedisServer, fanout: RememberingFanout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(registration_module, "RETURN_DELAY", 0.5)
        other = ProcessNames("asgi")
        async with running(redis_server.address, fanout) as process:
            with redis_server.client() as client:
                client.client_kill_filter(_type="normal", skipme=True)
                client.sadd(other.groups_key, "a")
                client.zadd(other.group_key("a"), {other.channel("g.a"): 1})
                await eventually(lambda: not process.registration.up)
                await process.registration.wait_up()
                assert client.exists(other.group_key("a"))
                await eventually(lambda: not client.exists(other.group_key("a")))

    async def test_two_processes_in_one_group_do_not_disturb_each_other(
        self, redis_server: RedisServer, fanout: RememberingFanout
    ) -> None:
        async with (
            running(redis_server.address, fanout) as first,
            running(redis_server.address, RememberingFanout()) as second,
        ):
            await first.groups.hold(["a"])
            await second.groups.hold(["a"])
            await first.stop()
            assert stands(redis_server, second.names, "a")
            with redis_server.client() as client:
                assert client.zcard("asgi:group:a") == 1


class TestStop:
    async def test_leaves_nothing(self, redis_server: RedisServer, fanout: RememberingFanout) -> None:
        async with running(redis_server.address, fanout) as process:
            await process.groups.hold(["a", "job_events-" + "9" * 80])
            with redis_server.client() as client:
                client.zadd(process.names.queue + "$inflight", {"x": 1})
                await process.stop()
                remaining: list[Any] = client.keys("*")
        assert remaining == []
        assert not fanout.gaps

    async def test_looks_at_nothing_any_more(
        self, redis_server: RedisServer, fanout: RememberingFanout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A process with a hundred thousand groups has no second for it."""
        monkeypatch.setattr(registration_module, "CONFIRM_INTERVAL", 3_600)
        monkeypatch.setattr(registration_module, "CHECK_INTERVAL", 3_600)
        async with running(redis_server.address, fanout) as process:
            await process.groups.hold(["a"])
            with redis_server.client() as client:
                client.config_resetstat()
                await process.stop()
                commands = client.info("commandstats")
        assert commands["cmdstat_zcard"]["calls"] == 1, "whether the drain has taken all"
        assert "cmdstat_zadd" not in commands

    async def test_nothing_is_said_behind_the_deletion_by_a_hand_over_that_is_under_way(
        self, redis_server: RedisServer, fanout: RememberingFanout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with running(redis_server.address, fanout) as process:
            command = RedisConnection.command

            async def answer_beside_a_hand_over(reply: asyncio.Future[Any]) -> Any:
                await asyncio.sleep(0)
                with pytest.raises(RedisUnavailable):
                    await process.registration.name_successor(1)
                return await reply

            def command_beside_a_hand_over(connection: RedisConnection, *words: Argument) -> asyncio.Future[Any]:
                reply = command(connection, *words)
                return asyncio.ensure_future(answer_beside_a_hand_over(reply)) if words[0] == "DEL" else reply

            monkeypatch.setattr(RedisConnection, "command", command_beside_a_hand_over)
            await process.stop()
        with redis_server.client() as client:
            assert client.keys("*") == []

    async def test_does_not_wait_for_ever_for_somebody_to_take_what_waits(
        self, redis_server: RedisServer, fanout: RememberingFanout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(registration_module, "EMPTY_QUEUE_STEPS", 3)
        async with running(redis_server.address, fanout) as process:
            with redis_server.client() as client:
                client.zadd(process.names.queue, {"x": 1})
                await process.stop()
                assert client.keys("*") == []
