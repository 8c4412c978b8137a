"""Servers of an engine for the demo and the benchmarks: they work as one, and nothing of them is left."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from awxfast.demo.engine_servers import EngineServers, NatsServers, RedisClusterServers, require_sharded_pubsub
from awxfast.engine.address import EngineAddress
from awxfast.errors import StartError
from programs import require_program
from servers import HANG


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisClusterServers]:
    require_program("redis-server")
    running = RedisClusterServers(masters=2, replicas=1)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def nats() -> Iterator[NatsServers]:
    require_program("nats-server")
    running = NatsServers()
    yield running
    running.stop()


def servers_of(engine: EngineServers) -> tuple[tuple[str, int], ...]:
    return EngineAddress.parse(engine.url).servers


class TestRedisCluster:
    def test_its_masters_share_all_slots(self, cluster: RedisClusterServers) -> None:
        (host, port), *_ = servers_of(cluster)
        with redis.Redis(host, port, decode_responses=True, socket_timeout=HANG) as node:
            lines = str(node.execute_command("CLUSTER", "NODES")).splitlines()
        masters = [line.split() for line in lines if "master" in line]
        replicas = [line.split()[3] for line in lines if "slave" in line]
        assert sorted(words[-1] for words in masters) == ["0-8191", "8192-16383"]
        assert sorted(replicas) == sorted(words[0] for words in masters)

    def test_what_one_publishes_another_connection_hears(self, cluster: RedisClusterServers) -> None:
        host, port = servers_of(cluster)[0]
        with redis.RedisCluster(host, port) as client, client.pubsub() as listener:
            listener.ssubscribe("awxfast:group:jobs-1")
            assert listener.get_sharded_message(timeout=HANG)["type"] == "ssubscribe"
            client.spublish("awxfast:group:jobs-1", b"hello")
            assert listener.get_sharded_message(timeout=HANG)["data"] == b"hello"


class TestNats:
    def test_each_of_its_servers_answers(self, nats: NatsServers) -> None:
        for address in servers_of(nats):
            with socket.create_connection(address, HANG) as connection:
                assert connection.recv(4096).startswith(b"INFO {")

    def test_message_crosses_from_one_server_to_another(self, nats: NatsServers) -> None:
        here, there, _ = servers_of(nats)
        with socket.create_connection(there, HANG) as listener, socket.create_connection(here, HANG) as sender:
            talk(listener, b"SUB awxfast.group.jobs-1 1\r\n")
            received = b""
            while b"hello" not in received:  # until the first server knows that somebody at the second one listens
                talk(sender, b"PUB awxfast.group.jobs-1 5\r\nhello\r\n")
                received += take(listener)


def talk(connection: socket.socket, words: bytes) -> None:
    """Says it, and waits until the server has taken it."""
    connection.sendall(b'CONNECT {"verbose":false}\r\n' + words + b"PING\r\n")
    answer = b""
    while b"PONG" not in answer:
        answer += connection.recv(65_536)


def take(connection: socket.socket) -> bytes:
    connection.settimeout(0.05)
    try:
        return connection.recv(65_536)
    except TimeoutError:
        return b""


@pytest.mark.parametrize(("start", "program"), [(RedisClusterServers, "redis-server"), (NatsServers, "nats-server")])
def test_nothing_of_it_is_left(
    start: Callable[[], EngineServers], program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_program(program)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    engine = start()
    pids = engine.pids
    assert all(Path(f"/proc/{pid}").exists() for pid in pids) and len(pids) == 3
    engine.stop()
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
    assert list(tmp_path.iterdir()) == []


class TestWithoutTheProgram:
    @pytest.mark.parametrize(
        ("start", "program"), [(RedisClusterServers, "redis-server"), (NatsServers, "nats-server")]
    )
    def test_missing_program_is_named(
        self, start: Callable[[], EngineServers], program: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", "/nowhere")
        with pytest.raises(StartError, match=f"apt install {program}"):
            start()

    def test_redis_before_sharded_pubsub_is_refused(self, tmp_path: Path) -> None:
        old = tmp_path / "redis-server"
        old.write_text("#!/bin/sh\necho 'Redis server v=6.2.5 sha=0:0 malloc=libc bits=64'\n")
        old.chmod(0o755)
        with pytest.raises(StartError, match="sharded"):
            require_sharded_pubsub(str(old))
