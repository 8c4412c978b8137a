"""Credentials that the site's own code gives, at each connection."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from awxfast.errors import ConfigurationError, RedisUnavailable
from awxfast.redis.address import RedisAddress
from awxfast.redis.credentials import find_credentials
from redis.credentials import CredentialProvider
from redis_impostors import connected, impostor
from redis_servers import RedisServer

Start = Callable[..., RedisServer]


class Blocking(CredentialProvider):
    """As redis-py 4 had them. `given` are answers in turn."""

    def __init__(self, *given: Any) -> None:
        self.given = list(given)
        self.threads: list[threading.Thread] = []

    def get_credentials(self) -> Any:
        self.threads.append(threading.current_thread())
        return self.given.pop(0)


class Waiting(CredentialProvider):
    """As redis-py 5 wants them."""

    def __init__(self, *given: Any) -> None:
        self.given = list(given)

    def get_credentials(self) -> Any:
        raise AssertionError("the other one is there")

    async def get_credentials_async(self) -> Any:
        await asyncio.sleep(0)
        return self.given.pop(0)


class Failing(CredentialProvider):
    def get_credentials(self) -> Any:
        raise OSError("secret")


def protect(server: RedisServer) -> None:
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "awx", "on", ">first", ">second", "~*", "&*", "+@all")
        client.execute_command("ACL", "SETUSER", "default", "off")


class TestProvider:
    @pytest.mark.parametrize("kind", [Blocking, Waiting])
    async def test_it_is_asked_anew_at_each_connection(self, redis_server: RedisServer, kind: Any) -> None:
        protect(redis_server)
        provider = kind(("awx", "first"), ("awx", "second"))
        address = RedisAddress(path=str(redis_server.socket), credential_provider=provider)
        for _ in range(2):
            async with connected(address) as connection:
                assert await connection.command("ACL", "WHOAMI") == b"awx"
        assert provider.given == []

    async def test_one_that_blocks_runs_beside_the_loop(self) -> None:
        provider = Blocking(("pw",))
        assert await find_credentials(RedisAddress(credential_provider=provider)) == ("pw",)
        assert provider.threads != [threading.current_thread()]

    async def test_password_alone_is_enough(self, start_redis: Start) -> None:
        server = start_redis("--requirepass", "pw")
        async with connected(RedisAddress(path=str(server.socket), credential_provider=Blocking(["pw"]))) as connection:
            assert await connection.command("PING") == b"PONG"

    async def test_one_that_fails_is_named_and_tried_again(self) -> None:
        with pytest.raises(RedisUnavailable, match="credential_provider raised OSError") as caught:
            await find_credentials(RedisAddress(credential_provider=Failing()))
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize("given", [None, "secret", (), ("a", "b", "secret"), ("awx", 5), (b"secret",)])
    async def test_what_it_should_not_give_is_refused(self, given: Any) -> None:
        with pytest.raises(ConfigurationError, match="credential_provider") as caught:
            await find_credentials(RedisAddress(credential_provider=Blocking(given)))
        assert "secret" not in str(caught.value)


class TestOldRedis:
    async def test_name_is_left_out_where_redis_knows_none(self) -> None:
        """Before 6.0 AUTH had one argument; redis-py tries it with the password alone then."""

        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"PING\r\n")
            writer.write(b"-ERR wrong number of arguments for 'auth' command\r\n-NOAUTH Authentication required.\r\n")
            assert b"$4\r\nAUTH\r\n$2\r\npw\r\n" in await reader.readuntil(b"PING\r\n")
            writer.write(b"+OK\r\n+PONG\r\n")
            await reader.read()

        async with impostor(speak) as address:
            said = RedisAddress(host=address.host, port=address.port, username="awx", password="pw")
            async with connected(said) as connection:
                assert connection.is_idle
