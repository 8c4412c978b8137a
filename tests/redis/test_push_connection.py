"""A connection that subscribes: messages between answers, and what no Redis would send."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from awxfast.errors import RedisReplyError, RedisUnavailable
from awxfast.redis.address import RedisAddress
from awxfast.redis.login import open_connection
from awxfast.redis.push_connection import Message, PushConnection
from redis_servers import HANG, RedisServer

LIMIT = 1_000_000


async def subscribe(address: RedisAddress, received: list[Message], limit: int = LIMIT) -> PushConnection:
    opened = await open_connection(address, kind=PushConnection, reply_limit=limit)
    assert isinstance(opened, PushConnection)
    opened.begin_pushes("g:", "c:", received.extend)
    return opened


@pytest.fixture
async def impostor() -> AsyncIterator[Callable[[bytes], Any]]:
    """Something that answers a login as Redis does, and everything after it with these bytes."""
    servers: list[asyncio.Server] = []

    async def start(answer: bytes) -> RedisAddress:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            count = (await reader.readuntil(b"\r\n")).count(b"*")
            writer.write(b"+PONG\r\n" * count)
            await reader.read(65536)
            await reader.read(65536)
            writer.write(answer)
            await reader.read()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        servers.append(server)
        return RedisAddress(host="127.0.0.1", port=server.sockets[0].getsockname()[1])

    yield start
    for server in servers:
        server.close()


class TestPushes:
    async def test_messages_come_between_answers(self, redis_server: RedisServer) -> None:
        received: list[Message] = []
        connection = await subscribe(redis_server.address, received)
        assert await connection.command("SUBSCRIBE", "g:one") == b"subscribe"
        assert await connection.command("PSUBSCRIBE", "c:1*") == b"psubscribe"
        with redis_server.client() as client:
            client.publish("g:one", b"a")
            client.publish("c:12", b"b")
            client.publish("g:other", b"c")
        assert await connection.command("PING") == b"pong"
        assert received == [(True, b"one", b"a"), (False, b"12", b"b")]
        assert await connection.command("UNSUBSCRIBE", "g:one") == b"unsubscribe"
        connection.close()

    async def test_refusal_is_the_answer_to_its_command(self, redis_server: RedisServer) -> None:
        connection = await subscribe(redis_server.address, [])
        await connection.command("SUBSCRIBE", "g:one")
        replies = await connection.commands([("PING",), ("GET", "x"), ("PING",)])
        assert (replies[0], replies[2]) == (b"pong", b"pong")
        assert isinstance(replies[1], RedisReplyError)
        connection.close()

    async def test_what_is_published_while_it_pauses_comes_later(self, redis_server: RedisServer) -> None:
        received: list[Message] = []
        connection = await subscribe(redis_server.address, received)
        await connection.command("SUBSCRIBE", "g:one")
        connection.pause_reading()
        with redis_server.client() as client:
            client.publish("g:one", b"a")
        await asyncio.sleep(0.05)
        assert received == []
        connection.resume_reading()
        await connection.command("PING")
        assert received == [(True, b"one", b"a")]
        connection.close()


class TestFaults:
    @pytest.mark.parametrize(
        "answer",
        [
            b"$5\r\nhello\r\n",
            b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n",
            b"*2\r\n$4\r\npong\r\n$0\r\n\r\n",
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$999999999\r\n",
        ],
        ids=["a string", "an answer too many", "the answer to another command", "HTTP", "too long"],
    )
    async def test_answers_out_of_protocol_end_the_connection(
        self, impostor: Callable[[bytes], Any], answer: bytes
    ) -> None:
        connection = await subscribe(await impostor(answer), [])
        asked = connection.command("SUBSCRIBE", "g:one")
        async with asyncio.timeout(HANG):
            error = await connection.lost
        assert isinstance(error, RedisUnavailable)
        await asyncio.gather(asked, return_exceptions=True)
