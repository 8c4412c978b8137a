"""Every way in to a Redis for code that may block: TLS, providers, names, databases."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from awxfast.errors import ConfigurationError
from awxfast.producer.kept_sockets import KeptSockets
from awxfast.producer.redis_socket import RedisSocket
from awxfast.redis.address import RedisAddress
from redis.credentials import CredentialProvider
from redis_servers import RedisServer, free_port
from tls_redis import TlsRedis

Start = Callable[..., RedisServer]


@pytest.fixture
def tls_redis(start_redis: Start, tmp_path: Path) -> TlsRedis:
    return TlsRedis(start_redis, tmp_path)


@pytest.fixture
def kept(tls_redis: TlsRedis) -> Iterator[KeptSockets]:
    kept = KeptSockets(RedisAddress.parse(tls_redis.url))
    yield kept
    kept.close()


class TestTls:
    def test_connection_is_kept_between_calls(self, kept: KeptSockets) -> None:
        name = kept.ask("CLIENT", "ID")
        assert [kept.ask("ECHO", b"x" * 100_000) for _ in range(3)] == [b"x" * 100_000] * 3
        assert kept.ask("CLIENT", "ID") == name

    def test_one_that_redis_has_closed_is_not_used_again(self, kept: KeptSockets, tls_redis: TlsRedis) -> None:
        name = kept.ask("CLIENT", "ID")
        with tls_redis.server.client() as client:
            client.execute_command("CLIENT", "KILL", "ID", name)
        assert kept.ask("CLIENT", "ID") != name

    def test_threads_have_one_each(self, kept: KeptSockets) -> None:
        both = threading.Barrier(2)

        def ask() -> None:
            with kept.borrow() as redis:
                both.wait(10)
                names.append(redis.ask("CLIENT", "ID"))

        names: list[int] = []
        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(names)) == 2

    def test_certificate_that_nobody_trusts_is_refused_in_one_line(self, tls_redis: TlsRedis) -> None:
        with pytest.raises(ConnectionError, match="its certificate is refused") as caught:
            RedisSocket.connect(RedisAddress.parse(f"rediss://localhost:{tls_redis.port}"))
        assert "\n" not in str(caught.value)

    def test_file_that_can_not_be_read_is_named(self, tls_redis: TlsRedis) -> None:
        with pytest.raises(ConfigurationError, match="ssl_ca_certs=/no/such"):
            RedisSocket.connect(RedisAddress.parse(f"rediss://localhost:{tls_redis.port}?ssl_ca_certs=/no/such"))

    def test_redis_that_speaks_no_tls_is_given_up_in_the_time_of_the_address(self, start_redis: Start) -> None:
        port = free_port()
        start_redis("--port", str(port))
        with pytest.raises(ConnectionError, match=f"rediss://localhost:{port}"):
            RedisSocket.connect(RedisAddress.parse(f"rediss://localhost:{port}?socket_connect_timeout=0.2"))


class Provider(CredentialProvider):
    """`given` are answers in turn."""

    def __init__(self, *given: Any) -> None:
        self.given = list(given)

    def get_credentials(self) -> Any:
        answer = self.given.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class TestProvider:
    def test_it_is_asked_anew_at_each_connection(self, redis_server: RedisServer) -> None:
        with redis_server.client() as client:
            client.execute_command("ACL", "SETUSER", "awx", "on", ">first", ">second", "~*", "&*", "+@all")
            client.execute_command("ACL", "SETUSER", "default", "off")
        provider = Provider(("awx", "first"), ("awx", "second"))
        for _ in range(2):
            redis = RedisSocket.connect(
                RedisAddress(path=str(redis_server.socket), credential_provider=provider, client_name="site")
            )
            assert redis.ask("ACL", "WHOAMI") == b"awx"
            assert redis.ask("CLIENT", "GETNAME") == b"site"
            redis.close()
        assert provider.given == []

    def test_one_that_fails_is_named_without_what_it_says(self, redis_server: RedisServer) -> None:
        address = RedisAddress(path=str(redis_server.socket), credential_provider=Provider(OSError("secret")))
        with pytest.raises(ConnectionError, match="credential_provider raised OSError") as caught:
            RedisSocket.connect(address)
        assert "secret" not in str(caught.value)

    def test_what_it_should_not_give_is_refused(self, redis_server: RedisServer) -> None:
        address = RedisAddress(path=str(redis_server.socket), credential_provider=Provider((b"secret",)))
        with pytest.raises(ConfigurationError, match="credential_provider gives neither"):
            RedisSocket.connect(address)


class TestPatience:
    def test_answer_that_is_dripped_is_overdue(self) -> None:
        ours, peer = socket.socketpair()

        def drip() -> None:
            with contextlib.suppress(OSError):
                for byte in (b"+", *[b"x"] * 100, b"\r", b"\n"):
                    peer.sendall(byte)
                    time.sleep(0.05)

        dripping = threading.Thread(target=drip)
        dripping.start()
        redis = RedisSocket(ours, patience=0.3)
        with peer, pytest.raises(ConnectionError, match="does not answer"):
            redis.ask("PING")
        redis.close()
        dripping.join()


class TestAddress:
    def test_database_names_and_keepalive_are_obeyed(self, start_redis: Start) -> None:
        port = free_port()
        server = start_redis("--port", str(port))
        redis = RedisSocket.connect(RedisAddress.parse(f"redis://127.0.0.1:{port}/3?client_name=site&lib_name=mine"))
        redis.ask("SET", "here", 1)
        assert redis._socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        redis.close()
        with server.client(db=3) as client:
            assert client.get("here") == b"1"

    def test_name_is_left_out_where_redis_knows_none(self) -> None:
        """Before 6.0 AUTH had one argument."""
        said = []

        def answer(listener: socket.socket) -> None:
            with listener.accept()[0] as peer:
                said.append(peer.recv(1000))
                peer.sendall(b"-ERR wrong number of arguments for 'auth' command\r\n")
                said.append(peer.recv(1000))
                peer.sendall(b"+OK\r\n")

        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=answer, args=(listener,))
            thread.start()
            port = listener.getsockname()[1]
            RedisSocket.connect(RedisAddress(host="127.0.0.1", port=port, username="awx", password="pw")).close()
            thread.join()
        assert said[1] == b"*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n"
