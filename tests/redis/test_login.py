"""Every way in to a Redis, and in which words it fails."""

import asyncio
import dataclasses
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from awxfast.errors import ConfigurationError, RedisUnavailable
from awxfast.redis.address import RedisAddress
from awxfast.redis.tls import TlsOptions
from awxfast.system.whoami import whoami
from certificates import SelfSigned
from redis_impostors import connected, impostor
from redis_servers import RedisServer, free_port

Start = Callable[..., RedisServer]


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

    async def test_connection_has_the_name_that_is_asked_for(self, redis_server: RedisServer) -> None:
        async with connected(f"{redis_server.url}?client_name=relay-1&lib_name=awxfast&lib_version=9") as connection:
            own = await connection.command("CLIENT", "LIST", "ID", await connection.command("CLIENT", "ID"))
        assert b" name=relay-1 " in own
        assert b" lib-name=awxfast " in own or b" lib-name=" not in own  # Redis knows it since 7.2

    async def test_keepalive_is_as_the_address_says(self, start_redis: Start) -> None:
        port = free_port()
        start_redis("--port", str(port))
        for keepalive, idle in ((None, None), (((socket.TCP_KEEPIDLE, 77),), 77)):
            async with connected(RedisAddress(host="127.0.0.1", port=port, keepalive=keepalive)) as connection:
                transport = connection._transport
                assert transport is not None
                sock = transport.get_extra_info("socket")
                assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == (idle is not None)
                assert idle is None or sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == idle

    async def test_no_tls_where_tls_is_asked_for(self, start_redis: Start) -> None:
        port = free_port()
        start_redis("--port", str(port))
        error = await refusal(f"rediss://127.0.0.1:{port}?ssl_cert_reqs=none", seconds=0.3)
        assert isinstance(error, RedisUnavailable)
        assert "no answer within 0.3 s (does it speak TLS? if not, redis://)" in str(error)


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

    @pytest.mark.parametrize("host", ["a" * 64, "a..b", "\ufffd"])
    async def test_host_that_none_can_have_as_a_cluster_may_name_it(self, host: str) -> None:
        error = await refusal(dataclasses.replace(RedisAddress.parse("redis://x"), host=host))
        assert isinstance(error, ConfigurationError)
        assert "no host can have that name" in str(error)

    async def test_silence(self) -> None:
        async def say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            await reader.read()

        async with impostor(say_nothing) as address:
            error = await refusal(address, seconds=0.2)
        assert isinstance(error, RedisUnavailable)
        assert str(error).endswith("no answer within 0.2 s")

    async def test_answer_that_takes_longer_than_the_address_allows(self) -> None:
        async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"PING\r\n")
            writer.write(b"+PONG\r\n")
            await reader.read()

        async with impostor(stall) as address:
            hasty = dataclasses.replace(address, answer_seconds=0.1)
            async with connected(hasty) as connection:
                with pytest.raises(RedisUnavailable, match=r"no answer for 0\.1 s"):
                    await connection.command("PING")

    async def test_handshake_that_takes_longer_than_the_address_allows(self) -> None:
        async def say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            await reader.read()

        async with impostor(say_nothing) as address:
            error = await refusal(dataclasses.replace(address, tls=TlsOptions(), connect_seconds=0.2))
        assert isinstance(error, RedisUnavailable)
        assert str(error).endswith("not connected within 0.2 s")

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

    async def test_password_in_the_place_of_a_user(self, start_redis: Start) -> None:
        server = start_redis("--requirepass", "right")
        error = await refusal(f"unix://right@{server.socket}")
        assert isinstance(error, ConfigurationError)
        assert str(error).endswith("(a password without a user is written :PASSWORD@)")

    async def test_password_that_is_repeated_where_nobody_knows_what_it_is_for(self, start_redis: Start) -> None:
        server = start_redis("--rename-command", "AUTH", "elsewhere")
        error = await refusal(f"unix://:hunter2@{server.socket}")
        assert isinstance(error, ConfigurationError)
        assert "unknown command" in str(error)
        assert "hunter2" not in str(error)

    async def test_password_that_is_repeated_in_other_words(self) -> None:
        async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(4_096):
                writer.write(b"-ERR what is hunter2?\r\n" * data.count(b"*"))

        async with impostor(repeat) as address:
            error = await refusal(dataclasses.replace(address, password="hunter2"))
        assert isinstance(error, ConfigurationError)
        assert "what is ***?" in str(error)

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

    async def test_server_that_closes_without_a_word_may_want_tls(self) -> None:
        async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(100)
            writer.close()

        async with impostor(close) as address:
            error = await refusal(address)
        assert isinstance(error, RedisUnavailable)
        assert str(error) == f"Redis at {address}: it closed the connection (does it want TLS? then rediss://)"

    async def test_server_that_greets(self) -> None:
        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
            await reader.read()

        async with impostor(greet) as address:
            assert isinstance(await refusal(address), ConfigurationError)
