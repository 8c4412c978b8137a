"""The dead's names go, at once where death is certain; nobody else's are touched."""

import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator

import msgpack
import pytest
import redis
from awxfast.intake.clean_up import Cleaner
from awxfast.intake.names import CLEAN_UP_LOCK, ProcessNames
from awxfast.intake.processes import ProcessIdentity
from awxfast.redis.connection import RedisConnection
from awxfast.redis.group_writer import GroupWriter
from awxfast.redis.login import open_connection
from awxfast.settings import LayerSettings
from redis_servers import RedisServer

OWN = ProcessIdentity.own()
DEAD_HERE = dataclasses.replace(OWN, pid=2**22 + 1, start_time=1)
ELSEWHERE = dataclasses.replace(DEAD_HERE, boot_id="another")
WRITER = GroupWriter(LayerSettings(group_expiry=86_400))
BACKPLANE = "broadcast-group_send"
LONG = "job_events-" + "9" * 88


@pytest.fixture
def client(redis_server: RedisServer) -> redis.Redis:
    return redis_server.client()


@pytest.fixture
async def connection(redis_server: RedisServer) -> AsyncIterator[RedisConnection]:
    with contextlib.closing(await open_connection(redis_server.address)) as connection:
        yield connection


@pytest.fixture
def cleaner() -> Cleaner:
    return Cleaner(ProcessNames("asgi"), OWN, WRITER)


def leave_behind(client: redis.Redis, identity: ProcessIdentity | None, prefix: str = "asgi") -> ProcessNames:
    """What a process that was killed leaves; without an identity its process key has expired."""
    names = ProcessNames(prefix)
    groups = ["job_events-42", "jobs-summary", names.sentinel]
    client.sadd(names.groups_key, *groups, LONG)
    client.set(names.prefix_key, prefix)
    client.set(names.announced_in_key, BACKPLANE)
    for group in groups:
        client.zadd(names.group_key(group), {names.channel(f"g.{group}"): time.time()})
    client.zadd(names.group_key(LONG), {names.channel("n.17"): time.time()})
    client.zadd(names.queue, {"waiting": 1})
    client.zadd(names.queue + "$inflight", {"half done": 1})
    if identity is not None:
        fields = identity.to_fields()
        client.hset(names.process_key, items=fields)
    return names


def traces(client: redis.Redis, names: ProcessNames) -> list[str]:
    """Where the process is still to be found."""
    found = [key.decode() for key in client.keys("*") if names.token in key.decode()]
    for key in client.keys("*:group:*"):
        found += [name.decode() for name in client.zrange(key, 0, -1) if names.token in name.decode()]
    return sorted(found)


class TestRemoval:
    async def test_dead_of_this_host_go_at_once(
        self, client: redis.Redis, connection: RedisConnection, cleaner: Cleaner
    ) -> None:
        names = leave_behind(client, DEAD_HERE)
        await cleaner.clean(connection, also_expired=False)
        assert traces(client, names) == []
        assert client.keys("*") == []
        assert cleaner.cleaned == 1

    async def test_those_whose_key_is_gone_go_when_asked_for(
        self, client: redis.Redis, connection: RedisConnection, cleaner: Cleaner
    ) -> None:
        names = leave_behind(client, None)
        await cleaner.clean(connection, also_expired=False)
        assert len(traces(client, names)) > 4
        await cleaner.clean(connection, also_expired=True)
        assert traces(client, names) == []

    async def test_names_are_removed_under_the_prefix_of_the_dead(
        self, client: redis.Redis, connection: RedisConnection, cleaner: Cleaner
    ) -> None:
        names = leave_behind(client, None, prefix="site-b")
        await cleaner.clean(connection, also_expired=True)
        assert traces(client, names) == []


class TestFarewell:
    """Nodes that were told of a process's groups are told that they are wanted no more."""

    @pytest.mark.parametrize("prefix", ["asgi", "site-b"])
    async def test_dead_process_unsubscribes_once(
        self, client: redis.Redis, connection: RedisConnection, cleaner: Cleaner, prefix: str
    ) -> None:
        link = "specific.0123456789abcdef0123456789abcdef!"
        client.zadd(f"{prefix}:group:{BACKPLANE}", {link + "link": time.time()})
        names = leave_behind(client, DEAD_HERE, prefix)
        client.sadd(names.groups_key, BACKPLANE)
        for _ in range(2):
            await cleaner.clean(connection, also_expired=True)
        (entry,) = client.zrange(prefix + link, 0, -1)
        notice = msgpack.unpackb(entry[12:])
        assert notice["type"] == "consumer.unsubscribe"
        assert sorted(notice["groups"]) == sorted(["job_events-42", "jobs-summary", LONG])
        assert notice["origin_channel"] == f"specific.{names.token}!awxfast"

    async def test_process_that_told_nobody_says_nothing(
        self, client: redis.Redis, connection: RedisConnection, cleaner: Cleaner
    ) -> None:
        client.zadd(f"asgi:group:{BACKPLANE}", {"specific.a!link": time.time()})
        client.delete(leave_behind(client, DEAD_HERE).announced_in_key)
        await cleaner.clean(connection, also_expired=True)
        assert client.keys("*") == [f"asgi:group:{BACKPLANE}".encode()]


class TestSparing:
    @pytest.mark.parametrize("identity", [OWN, ELSEWHERE])
    async def test_living_and_unknown_processes_keep_everything(
        self, client: redis.Redis, connection: RedisConnection, cleaner: Cleaner, identity: ProcessIdentity
    ) -> None:
        names = leave_behind(client, identity)
        before = traces(client, names)
        await cleaner.clean(connection, also_expired=True)
        assert traces(client, names) == before
        assert cleaner.cleaned == 0

    async def test_own_names_stay_although_the_process_key_is_gone(
        self, client: redis.Redis, connection: RedisConnection
    ) -> None:
        names = leave_behind(client, None)
        before = traces(client, names)
        await Cleaner(names, OWN, WRITER).clean(connection, also_expired=True)
        assert traces(client, names) == before

    async def test_stock_names_beside_the_dead_ones_stay(
        self, client: redis.Redis, connection: RedisConnection, cleaner: Cleaner
    ) -> None:
        stock = "specific.0123456789abcdef0123456789abcdef!fedcba"
        for group in ("job_events-42", LONG):
            client.zadd(f"asgi:group:{group}", {stock: 1})
        client.zadd("asgispecific.0123456789abcdef0123456789abcdef!", {"theirs": 1})
        leave_behind(client, DEAD_HERE)
        await cleaner.clean(connection, also_expired=True)
        assert client.zrange("asgi:group:job_events-42", 0, -1) == [stock.encode()]
        assert client.zrange(f"asgi:group:{LONG}", 0, -1) == [stock.encode()]
        assert client.exists("asgispecific.0123456789abcdef0123456789abcdef!")

    async def test_process_that_comes_back_meanwhile_keeps_its_names(
        self,
        client: redis.Redis,
        connection: RedisConnection,
        cleaner: Cleaner,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        names = leave_behind(client, None)
        find_names = cleaner._names_of

        async def announce_first(connection: RedisConnection, token: str) -> ProcessNames:
            client.hset(names.process_key, items=OWN.to_fields())
            return await find_names(connection, token)

        monkeypatch.setattr(cleaner, "_names_of", announce_first)
        await cleaner.clean(connection, also_expired=True)
        assert client.zscore(names.group_key("jobs-summary"), names.channel("g.jobs-summary"))
        assert cleaner.cleaned == 0


class TestStrangeKeys:
    async def test_keys_that_are_not_ours_are_left_alone(
        self, client: redis.Redis, connection: RedisConnection, cleaner: Cleaner
    ) -> None:
        client.sadd("awxfast:groups:notes", "a")
        client.set("awxfast:groups:" + "0" * 31 + "x", "b")
        await cleaner.clean(connection, also_expired=True)
        assert len(client.keys("*")) == 2

    async def test_names_that_no_group_can_have_are_skipped(
        self, client: redis.Redis, connection: RedisConnection, cleaner: Cleaner
    ) -> None:
        names = leave_behind(client, DEAD_HERE)
        client.sadd(names.groups_key, b"\xff", "a b", "x" * 500)
        await cleaner.clean(connection, also_expired=True)
        assert client.keys("*") == []

    async def test_key_of_another_type_is_told_and_harms_nobody(
        self,
        client: redis.Redis,
        connection: RedisConnection,
        cleaner: Cleaner,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        client.set("awxfast:groups:" + "0" * 32, "a string")
        await cleaner.clean(connection, also_expired=True)
        assert "can't remove what dead awxfast processes left" in caplog.text
        assert await connection.command("PING") == b"PONG"


class TestLock:
    async def test_only_one_cleans(self, client: redis.Redis, connection: RedisConnection, cleaner: Cleaner) -> None:
        names = leave_behind(client, None)
        client.set(CLEAN_UP_LOCK, "another", ex=10)
        await cleaner.clean_with_lock(connection)
        assert traces(client, names) != []
        client.delete(CLEAN_UP_LOCK)
        await cleaner.clean_with_lock(connection)
        assert client.keys("*") == [], "the lock is gone, too"
