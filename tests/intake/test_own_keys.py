"""Keys that somebody overwrote, in a real Redis."""

import logging

import pytest
from awxfast.intake.own_keys import delete_other_type, replace_other_types
from awxfast.quiet_log import QuietLog
from awxfast.redis.connection import RedisConnection
from awxfast.redis.login import open_connection
from redis_servers import RedisServer

KINDS = {"awxfast:a": "hash", "awxfast:b": "string"}


async def connect(server: RedisServer) -> RedisConnection:
    return await open_connection(server.address)


def quiet() -> QuietLog:
    return QuietLog(logging.getLogger("test"))


class TestOwnKeys:
    async def test_all_of_their_types_are_left(self, redis_server: RedisServer) -> None:
        connection = await connect(redis_server)
        await connection.commands([("HSET", "awxfast:a", "b", "c"), ("SET", "awxfast:b", "d")])
        assert await replace_other_types(connection, KINDS, quiet())
        assert await connection.command("EXISTS", "awxfast:a", "awxfast:b") == 2
        connection.close()

    async def test_one_of_another_type_is_deleted_with_a_line(
        self, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        connection = await connect(redis_server)
        await connection.commands([("SET", "awxfast:a", "mine"), ("SET", "awxfast:b", "d")])
        assert not await replace_other_types(connection, KINDS, quiet())
        assert await connection.command("EXISTS", "awxfast:a") == 0
        assert await connection.command("GET", "awxfast:b") == b"d"
        assert [message for message in caplog.messages if "awxfast:a" in message and "no hash" in message]
        assert "mine" not in caplog.text
        connection.close()

    async def test_one_that_is_not_there_is_told_and_is_no_fault(
        self, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        connection = await connect(redis_server)
        await connection.command("SET", "awxfast:b", "d")
        assert not await replace_other_types(connection, KINDS, quiet())
        assert not caplog.messages
        connection.close()

    async def test_key_of_its_type_is_not_deleted_however_often_one_asks(self, redis_server: RedisServer) -> None:
        connection = await connect(redis_server)
        await connection.command("ZADD", "queue", 1, "event")
        await delete_other_type(connection, "queue", "zset", quiet())
        assert await connection.command("ZCARD", "queue") == 1
        connection.close()

    async def test_one_that_is_overwritten_again_and_again_makes_one_line(
        self, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        connection = await connect(redis_server)
        log = quiet()
        for _ in range(50):
            await connection.command("SET", "queue", "x")
            await delete_other_type(connection, "queue", "zset", log)
        assert await connection.command("EXISTS", "queue") == 0
        assert len(caplog.messages) == 1
        connection.close()
