"""One connection: every way in, replies in order, and in which words it fails."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from awxfast.errors import ConfigurationError, RedisReplyError, RedisUnavailable
from awxfast.redis.address import RedisAddress
from awxfast.redis.connection import TURN_REPLIES, RedisConnection
from awxfast.system.whoami import whoami
from certificates import SelfSigned
from redis_servers import RedisServer

Start = Callable[..., RedisServer]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def connected(address: RedisAddress | str, **options: Any) -> AsyncIterator[RedisConnection]:
    if isinstance(address, str):
        address = RedisAddress.parse(address)
    connection = await RedisConnection.open(address, **options)
    with contextlib.closing(connection):
        yield connection


@contextlib.asynccontextmanager
async def impostor(handle: Handler) -> AsyncIterator[RedisAddress]:
    """Something else that listens where a Redis should."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            with contextlib.suppress(ConnectionError):
                await handle(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield RedisAddress.parse(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
        await asyncio.sleep(0)


async def refusal(address: RedisAddress | str, seconds: float = 5.0) -> Exception:
    """What `open` raises; always one line."""
    with pytest.raises((ConfigurationError, RedisUnavailable)) as caught:
        async with connected(address, seconds=seconds):
            pass
    assert "\n" not in str(caught.value)
    return caught.value


class TestWaysIn:
    async def test_unix_socket(self, redis_server: RedisServer) -> None:
        async with connected(redis_server.address) as connection:
            assert await connection.command("PING") == b"PONG"

    async def test_tcp_with_keepalive(self, start_redis: Start) -> None:
        port = free_port()
        start_redis("--port", str(port))
        async with connected(f"redis://localhost:{port}") as connection:
            assert await connection.command("PING") == b"PONG"
            transport = connection._transport
            assert transport is not None
            sock = transport.get_extra_info("socket")
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 15

    async def test_database_number(self, redis_server: RedisServer) -> None:
        async with connected(redis_server.url + "?db=3") as connection:
            await connection.command("SET", "here", 1)
        assert redis_server.client(db=3).get("here") == b"1"
        assert redis_server.client(db=0).get("here") is None

    async def test_password(self, start_redis: Start) -> None:
        server = start_redis("--requirepass", "s/ecret")
        async with connected(f"unix://:s%2Fecret@{server.socket}") as connection:
            assert await connection.command("PING") == b"PONG"

    async def test_user_and_password(self, start_redis: Start) -> None:
        server = start_redis("--user", "awx", "on", ">pw", "~*", "+@all")
        async with connected(f"unix://awx:pw@{server.socket}") as connection:
            assert await connection.command("ACL", "WHOAMI") == b"awx"

    async def test_tls(self, start_redis: Start, tmp_path: Path) -> None:
        files = SelfSigned(tmp_path)
        certificate, key = files.certificate, files.private_key
        port = free_port()
        start_redis(
            *("--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key)),
            *("--tls-auth-clients", "no"),
        )
        async with connected(f"rediss://localhost:{port}?ssl_ca_certs={certificate}") as connection:
            assert await connection.command("ECHO", b"x" * 100_000) == b"x" * 100_000
        async with connected(f"rediss://127.0.0.1:{port}?ssl_cert_reqs=none") as connection:
            assert await connection.command("PING") == b"PONG"
        unknown = await refusal(f"rediss://localhost:{port}")
        assert isinstance(unknown, ConfigurationError)
        assert "certificate is refused" in str(unknown)

    async def test_no_tls_where_tls_is_asked_for(self, start_redis: Start) -> None:
        port = free_port()
        start_redis("--port", str(port))
        error = await refusal(f"rediss://127.0.0.1:{port}?ssl_cert_reqs=none", seconds=0.3)
        assert isinstance(error, RedisUnavailable)


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

    async def test_error_reply_is_raised(self, redis_server: RedisServer) -> None:
        async with connected(redis_server.address) as connection:
            with pytest.raises(RedisReplyError) as caught:
                await connection.command("NONSENSE")
            assert caught.value.code == "ERR"
            assert await connection.command("PING") == b"PONG"

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
        "answer", [b"*500000000\r\n", b"*2\r\n*2147483647\r\n", b"%99999999\r\n", b"%1\r\n*0\r\n:1\r\n"]
    )
    async def test_answer_that_announces_no_end_of_elements_ends_the_connection(
        self, tmp_path: Path, answer: bytes
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
            with pytest.raises(RedisUnavailable, match=r"announces more|not Redis' protocol"):
                await connection.command("GET", "x")

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


class TestUnreachable:
    """Worth another try, each cause in words of its own."""

    async def test_no_such_socket(self, tmp_path: Path) -> None:
        error = await refusal(f"unix://{tmp_path}/none.sock")
        assert isinstance(error, RedisUnavailable)
        assert str(error) == f"Redis at unix://{tmp_path}/none.sock: no such socket (is Redis running?), as {whoami()}"

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
    async def test_no_permission(self, redis_server: RedisServer) -> None:
        redis_server.socket.chmod(0)
        assert "no permission" in str(await refusal(redis_server.address))

    async def test_nobody_listens(self) -> None:
        for host in ("127.0.0.1", "localhost"):
            error = await refusal(f"redis://{host}:{free_port()}")
            assert isinstance(error, RedisUnavailable)
            assert "connection refused" in str(error)

    async def test_unknown_host(self) -> None:
        error = await refusal("redis://no-such-host.invalid")
        assert isinstance(error, RedisUnavailable)
        assert "name is not known" in str(error)

    async def test_silence(self) -> None:
        async def say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            await reader.read()

        async with impostor(say_nothing) as address:
            error = await refusal(address, seconds=0.2)
        assert isinstance(error, RedisUnavailable)
        assert "no answer within 0.2 s" in str(error)

    async def test_too_many_clients(self, redis_server: RedisServer) -> None:
        with redis_server.client() as client:
            client.config_set("maxclients", 1)
            error = await refusal(redis_server.address)
        assert isinstance(error, RedisUnavailable)
        assert "max number of clients" in str(error)


class TestNeverWorks:
    """No other try helps: one line that names the remedy, and never the password."""

    async def test_wrong_password(self, start_redis: Start) -> None:
        server = start_redis("--requirepass", "right")
        error = await refusal(f"unix://:hunter2@{server.socket}")
        assert isinstance(error, ConfigurationError)
        assert "WRONGPASS" in str(error)
        assert "hunter2" not in str(error)

    async def test_missing_password(self, start_redis: Start) -> None:
        server = start_redis("--requirepass", "right")
        error = await refusal(server.address)
        assert isinstance(error, ConfigurationError)
        assert "wants a password" in str(error)

    async def test_password_where_there_is_none(self, redis_server: RedisServer) -> None:
        assert isinstance(await refusal(f"unix://:pw@{redis_server.socket}"), ConfigurationError)

    async def test_database_that_does_not_exist(self, redis_server: RedisServer) -> None:
        error = await refusal(redis_server.url + "?db=99")
        assert isinstance(error, ConfigurationError)
        assert "DB index is out of range" in str(error)

    async def test_web_server(self) -> None:
        async def speak_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(100)
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()

        async with impostor(speak_http) as address:
            error = await refusal(address)
        assert isinstance(error, ConfigurationError)
        assert str(error) == f"Redis at {address}: what answers there is not Redis, or wants TLS"

    async def test_server_that_greets(self) -> None:
        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
            await reader.read()

        async with impostor(greet) as address:
            assert isinstance(await refusal(address), ConfigurationError)
