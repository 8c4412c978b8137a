"""A connection that comes back, and what the log says meanwhile."""

import asyncio
import logging

import pytest
from awxfast.errors import RedisReplyError, RedisUnavailable
from awxfast.redis.address import RedisAddress
from awxfast.redis.connection import RedisConnection
from awxfast.redis.reconnect import KeptConnection, Outages
from redis_servers import RedisServer
from remembering_fanout import eventually

ADDRESS = RedisAddress.parse("unix:///run/redis.sock")


class TestOutages:
    def test_one_line_when_it_begins_and_one_when_it_ends(self, caplog: pytest.LogCaptureFixture) -> None:
        outages = Outages(ADDRESS)
        outages.broke("drain", RedisUnavailable(f"Redis at {ADDRESS}: it closed the connection"))
        outages.broke("registrations", RedisUnavailable("the same"))
        outages.broke("drain", RedisUnavailable("still"))
        outages.mended("drain")
        assert caplog.messages == [
            "Redis at unix:///run/redis.sock is away: it closed the connection; clients stay, trying again"
        ]
        outages.mended("registrations")
        assert caplog.messages[1].startswith("Redis at unix:///run/redis.sock is back after ")
        assert len(caplog.messages) == 2

    def test_the_next_outage_is_told_again(self, caplog: pytest.LogCaptureFixture) -> None:
        outages = Outages(ADDRESS)
        for _ in range(2):
            outages.broke("drain", RedisUnavailable("why"))
            outages.mended("drain")
        assert len(caplog.messages) == 4

    def test_working_from_the_start_says_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        Outages(ADDRESS).mended("drain")
        assert caplog.messages == []


class TestKeptConnection:
    async def test_comes_back_after_redis_was_killed(self, redis_server: RedisServer) -> None:
        kept = KeptConnection(redis_server.address, "test", Outages(redis_server.address))
        connections: list[RedisConnection] = []

        async def work(connection: RedisConnection) -> None:
            connections.append(connection)
            kept.works()
            raise await connection.lost

        task = asyncio.create_task(kept.run(work))
        await kept.wait_up()
        redis_server.kill()
        await eventually(lambda: not kept.up)
        redis_server.start()
        await kept.wait_up()
        assert len(connections) == 2
        assert kept.reconnects >= 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert connections[1].lost.done()
        assert not kept.up

    async def test_ends_when_the_work_is_done(self, redis_server: RedisServer) -> None:
        async def work(connection: RedisConnection) -> None:
            assert await connection.command("PING") == b"PONG"

        await KeptConnection(redis_server.address, "test", Outages(redis_server.address)).run(work)

    async def test_error_reply_and_wrong_password_are_tried_again(self, redis_server: RedisServer) -> None:
        kept = KeptConnection(redis_server.address, "test", Outages(redis_server.address))
        tries = 0

        async def work(connection: RedisConnection) -> None:
            nonlocal tries
            tries += 1
            if tries == 1:
                await connection.command("CONFIG", "SET", "requirepass", "x")
                raise RedisReplyError("READONLY not now")

        task = asyncio.create_task(kept.run(work))
        await eventually(lambda: kept.reconnects >= 2)
        assert tries == 1
        with redis_server.client(password="x") as client:
            client.config_set("requirepass", "")
        await asyncio.wait_for(task, 20)
        assert tries == 2

    async def test_fault_of_our_own_is_not_hidden(self, redis_server: RedisServer) -> None:
        async def work(connection: RedisConnection) -> None:
            raise KeyError("bug")

        with pytest.raises(KeyError):
            await KeptConnection(redis_server.address, "test", Outages(redis_server.address)).run(work)
