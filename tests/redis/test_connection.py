"""One connection: replies in order, and how it breaks."""

import asyncio
import contextlib
import functools
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from awxfast.errors import RedisReplyError, RedisUnavailable
from awxfast.redis.connection import TURN_REPLIES, RedisConnection
from awxfast.redis.unfinished_replies import UnfinishedReplies
from carrier_traffic import until
from redis_impostors import connected, impostor
from redis_servers import RedisServer

Start = Callable[..., RedisServer]


class TestReplies:
    async def test_come_in_order_of_the_commands(self, redis_server: RedisServer) -> None:
        async with connected(redis_server.address) as connection:
            answers = [connection.command("ECHO", str(number)) for number in range(1000)]
            assert await asyncio.gather(*answers) == [str(number).encode() for number in range(1000)]

    async def test_no_turn_of_the_loop_takes_more_than_its_share(self, redis_server: RedisServer) -> None:
        """They come in one read while the loop was busy."""
        async with connected(redis_server.address) as connection:
            answers = [connection.command("PING") for _ in range(10 * TURN_REPLIES)]
            most = done = 0
            while done < len(answers):
                await asyncio.sleep(0)
                before, done = done, sum(answer.done() for answer in answers)
                most = max(most, done - before)
                time.sleep(0.01)  # noqa: ASYNC251  so that many have come
            assert most <= 2 * TURN_REPLIES
            assert await connection.command("PING") == b"PONG"

    async def test_those_that_came_before_the_end_are_all_taken(self) -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"PING\r\n")
            writer.write(b"+PONG\r\n")
            await reader.readuntil(b"DEL\r\n")
            writer.write(b":1\r\n" * 10 * TURN_REPLIES)
            await writer.drain()

        async with impostor(handle) as address, connected(address) as connection:
            answers = [connection.command("INCR", "x") for _ in range(10 * TURN_REPLIES)]
            last = connection.command("DEL")
            assert await asyncio.gather(*answers) == [1] * len(answers)
            with pytest.raises(RedisUnavailable):
                await last

    async def test_those_that_came_before_a_write_failed_are_all_taken(self) -> None:
        loop = asyncio.get_running_loop()
        ours, peer = socket.socketpair()
        with ours, peer:
            _, connection = await loop.create_connection(lambda: RedisConnection("x", 5.0), sock=ours)
            answers = [connection.command("PING") for _ in range(10 * TURN_REPLIES)]
            answers[0].add_done_callback(lambda _: connection.command("PING"))
            peer.setblocking(False)
            left = len(answers) * len(b"*1\r\n$4\r\nPING\r\n")
            while left:
                left -= len(await loop.sock_recv(peer, left))
            await loop.sock_sendall(peer, b"+PONG\r\n" * len(answers))
            peer.close()
            assert await asyncio.gather(*answers) == [b"PONG"] * len(answers)
            assert isinstance(await connection.lost, RedisUnavailable)

    async def test_error_reply_is_raised(self, redis_server: RedisServer) -> None:
        async with connected(redis_server.address) as connection:
            with pytest.raises(RedisReplyError) as caught:
                await connection.command("NONSENSE")
            assert caught.value.code == "ERR"
            assert await connection.command("PING") == b"PONG"

    def test_error_is_kept_cut_with_its_first_word(self) -> None:
        error = RedisReplyError("x" * 1_000)
        assert len(str(error)) == len(error.code) == 500

    async def test_error_among_several_is_a_result(self, redis_server: RedisServer) -> None:
        async with connected(redis_server.address) as connection:
            first, second, third = await connection.commands([("SET", "k", "v"), ("ZCARD", "k"), ("GET", "k")])
            assert first == b"OK"
            assert isinstance(second, RedisReplyError)
            assert second.code == "WRONGTYPE"
            assert third == b"v"

    async def test_no_commands_have_no_replies(self, redis_server: RedisServer) -> None:
        async with connected(redis_server.address) as connection:
            assert await connection.commands([]) == []

    async def test_many_arguments_of_any_kind_arrive_as_few_do(self, redis_server: RedisServer) -> None:
        async with connected(redis_server.address) as connection:
            await connection.command("RPUSH", "many", *("text", b"\xff\r\n", "\u00e9", 7, 0.25) * 20)
            await connection.command("RPUSH", "few", "text", b"\xff\r\n", "\u00e9", 7, 0.25)
            few = await connection.command("LRANGE", "few", 0, -1)
            assert await connection.command("LRANGE", "many", 0, -1) == few * 20

    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            (b"*500000000\r\n", "announces more than 67108864 bytes in one answer, or 1000000 elements"),
            (b"*2\r\n*2147483647\r\n", "announces more"),
            (b"*1000000\r\n*1000000\r\n", "announces more"),
            (b"*600000\r\n:1\r\n*600000\r\n", "announces more"),
            (b"$1\r\nx\r\n*2000000000\r\n", "announces more"),
            (b"$2000000000\r\n", "announces more"),
            (b"%99999999\r\n", "not Redis' protocol"),
            (b"%1\r\n*0\r\n:1\r\n", "not Redis' protocol"),
            (b"$1\r\nx\r\n~2000000000\r\n", "not Redis' protocol"),
            (b"*1\r\n>2000000000\r\n", "not Redis' protocol"),
        ],
    )
    async def test_answer_that_announces_no_end_ends_the_connection(
        self, tmp_path: Path, answer: bytes, why: str
    ) -> None:
        async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"PING\r\n")
            writer.write(b"+PONG\r\n")
            await reader.readuntil(b"x\r\n")
            writer.writelines([answer[:4], answer[4:]])
            await reader.read()
            writer.close()

        async with (
            await asyncio.start_unix_server(answer_all, tmp_path / "s"),
            connected(f"unix://{tmp_path}/s") as connection,
        ):
            connection.command("GET", "x")
            assert why in str(await connection.lost)

    async def test_slots_of_a_cluster_in_as_many_pieces_as_there_are_come(self) -> None:
        names = b"$40\r\n" + b"0" * 40 + b"\r\n*2\r\n$8\r\nhostname\r\n$1\r\nx\r\n"
        server = b"*4\r\n$15\r\n192.168.100.100\r\n:6379\r\n" + names
        slots = b"*16384\r\n" + (b"*8\r\n:16000\r\n:16000\r\n" + server * 6) * 16_384

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"PING\r\n")
            writer.write(b"+PONG\r\n")
            await reader.readuntil(b"SLOTS\r\n")
            writer.write(slots)
            await reader.read()

        async with impostor(answer) as address, connected(address) as connection:
            assert len(await connection.command("CLUSTER", "SLOTS")) == 16_384

    async def test_unfinished_ones_of_several_connections_are_bounded_together(self) -> None:
        unfinished = UnfinishedReplies(1_000_000)
        came = {0: b"$30000000\r\n" + bytes(600_000), 1: b"$30000000\r\n" + bytes(300_000), 2: b"*3000\r\n"}
        numbers = iter(came)

        async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"PING\r\n")
            writer.write(b"+PONG\r\n")
            await reader.readuntil(b"GET\r\n")
            writer.write(came[next(numbers)])
            await reader.read()

        async with impostor(drip) as address, contextlib.AsyncExitStack() as stack:
            kind = functools.partial(RedisConnection, unfinished=unfinished)
            connections = [await stack.enter_async_context(connected(address, kind=kind)) for _ in came]
            for connection, least in zip(connections, (600_000, 900_000, 0), strict=True):
                connection.command("GET", "x")
                await until(lambda least=least: unfinished.bytes >= least, "nothing comes")
            why = "unfinished answers have more than 1000000 bytes together, and its is the longest"
            assert str(await connections[0].lost).endswith(why)
            assert [connection.lost.done() for connection in connections] == [True, False, False]
        assert unfinished.bytes == 0

    async def test_what_stands_in_a_payload_is_no_announcement(self, redis_server: RedisServer) -> None:
        async with connected(redis_server.address) as connection:
            text = b"*99999999\r\n" * 20_000
            await connection.command("SET", "trap", text)
            for depth in (1, 50):
                got = await connection.commands([("PING",), *[("GET", "trap")] * depth])
                assert got[1:] == [text] * depth

    async def test_caller_who_gives_up_does_not_shift_the_others(self, redis_server: RedisServer) -> None:
        async with connected(redis_server.address) as connection:
            first, second = connection.command("ECHO", "a"), connection.command("ECHO", "b")
            first.cancel()
            assert await second == b"b"

    async def test_blocking_pop_may_take_its_time(self, redis_server: RedisServer) -> None:
        async with connected(redis_server.address, patience=3.0) as connection:
            assert await connection.command("BZPOPMIN", "empty", 2) is None


class TestBrokenConnection:
    async def test_caller_hears_of_a_killed_redis(self, redis_server: RedisServer) -> None:
        async with connected(redis_server.address) as connection:
            pop = connection.command("BZPOPMIN", "empty", 0)
            redis_server.kill()
            with pytest.raises(RedisUnavailable, match="closed the connection"):
                await pop
            assert isinstance(await connection.lost, RedisUnavailable)
            with pytest.raises(RedisUnavailable):
                await connection.command("PING")

    async def test_overdue_answer_counts_as_broken(self) -> None:
        async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(100)
            writer.write(b"+PONG\r\n")
            await reader.read()

        async with impostor(answer_once) as address, connected(address, patience=0.1) as connection:
            with pytest.raises(RedisUnavailable, match=r"no answer for 0\.1 s"):
                await connection.command("PING")
            assert connection.lost.done()

    async def test_answer_that_is_dripped_counts_as_overdue(self) -> None:
        async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(100)
            writer.write(b"+PONG\r\n+")
            for _ in range(100):
                writer.write(b"x")
                await asyncio.sleep(0.05)

        async with impostor(drip) as address, connected(address, patience=0.3) as connection:
            with pytest.raises(RedisUnavailable, match=r"no answer for 0\.3 s"):
                await connection.command("PING")

    async def test_long_answer_may_take_longer_than_a_short_one(self) -> None:
        async def stretch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(100)
            writer.write(b"+PONG\r\n")
            await reader.read(100)
            writer.write(b"$700000\r\n")
            for _ in range(10):
                await asyncio.sleep(0.3)
                writer.write(bytes(70_000))
            writer.write(b"\r\n")
            await reader.read()

        async with impostor(stretch) as address, connected(address, patience=1.5) as connection:
            assert await connection.command("GET", "key") == bytes(700_000)

    async def test_garbage_ends_it(self) -> None:
        async def turn_mad(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(100)
            writer.write(b"+PONG\r\n")
            await reader.read(100)
            writer.write(b"\0\0\0\0")
            await reader.read()

        async with impostor(turn_mad) as address, connected(address) as connection:
            with pytest.raises(RedisUnavailable, match="not Redis' protocol"):
                await connection.command("PING")

    async def test_closing_leaves_no_complaint_of_the_loop(self, redis_server: RedisServer) -> None:
        complaints: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        async with connected(redis_server.address) as connection:
            pop = connection.command("BZPOPMIN", "empty", 0)
            connection.close()
            connection.close()
            assert isinstance(pop.exception(), RedisUnavailable)
        del pop
        await asyncio.sleep(0)
        assert complaints == []
