"""A master, its replica, and sentinels that watch them: real processes that tests may kill."""

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from awxfast.redis.address import RedisAddress
from redis_servers import HANG, RedisServer, binary_of, free_port

NAME = "mymaster"
DOWN_AFTER = 500
"""Milliseconds of silence after which a sentinel takes a server for dead."""


class Sentinel:
    """One sentinel of a master."""

    def __init__(self, binary: str, master: int, quorum: int, *lines: str, name: str = NAME) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="awxfast-sentinel-"))
        self.port = free_port()
        config = self.folder / "sentinel.conf"
        config.write_text(
            "\n".join(
                [
                    f"port {self.port}",
                    "bind 127.0.0.1",
                    f"dir {self.folder}",
                    f"sentinel monitor {name} 127.0.0.1 {master} {quorum}",
                    f"sentinel down-after-milliseconds {name} {DOWN_AFTER}",
                    f"sentinel failover-timeout {name} 3000",
                    *lines,
                    "",
                ]
            )
        )
        command = [binary, str(config), "--sentinel"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def client(self, **options: Any) -> redis.Redis:
        return redis.Redis(port=self.port, decode_responses=True, **options)

    def is_up(self) -> bool:
        """Whether it answers, be it that it wants a password."""
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.AuthenticationError:
            return True
        except (redis.ConnectionError, OSError):
            return False

    def master(self) -> int:
        """The port that it names; 0: it does not answer."""
        with contextlib.suppress(redis.RedisError, OSError), self.client() as client:
            return int(client.sentinel_get_master_addr_by_name(NAME)[1])
        return 0

    def knows(self, replicas: int, sentinels: int) -> bool:
        """Whether it has found so many replicas, and other sentinels."""
        with contextlib.suppress(redis.RedisError, OSError), self.client() as client:
            state = client.sentinel_master(NAME)
            return bool(state["num-slaves"] >= replicas and state["num-other-sentinels"] >= sentinels)
        return False

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)


class Watched:
    """Two servers of which one is the master, and who watches them."""

    def __init__(self, count: int = 3, version: str = "installed") -> None:
        binary = binary_of(version)
        self.servers = {port: RedisServer(binary, "--port", str(port)) for port in (free_port(), free_port())}
        self.first, self.second = self.servers
        with self.servers[self.second].client() as client:
            client.execute_command("REPLICAOF", "127.0.0.1", self.first)
        wait_until(lambda: self.servers[self.second].client().info("replication")["master_link_status"] == "up")
        self.sentinels = [Sentinel(binary, self.first, count // 2 + 1) for _ in range(count)]
        wait_until(lambda: all(one.knows(1, count - 1) for one in self.sentinels))

    @property
    def places(self) -> list[tuple[str, int]]:
        return [("127.0.0.1", one.port) for one in self.sentinels]

    @property
    def host(self) -> dict[str, Any]:
        """As an entry of `hosts`."""
        return {"master_name": NAME, "sentinels": self.places}

    @property
    def address(self) -> RedisAddress:
        return RedisAddress.from_options(self.host)

    @property
    def url(self) -> str:
        return f"redis+sentinel://{','.join(f'{host}:{port}' for host, port in self.places)}/{NAME}"

    def wait_for_new_master(self) -> None:
        """Until all sentinels name the other one."""
        wait_until(lambda: all(one.master() == self.second for one in self.sentinels))

    def close(self) -> None:
        for one in (*self.sentinels, *self.servers.values()):
            one.close()


def wait_until(is_so: Any) -> None:
    deadline = time.monotonic() + 2 * HANG
    while not is_so():
        if time.monotonic() > deadline:
            pytest.fail("Redis, its replica and its sentinels do not find each other")
        time.sleep(0.05)


@pytest.fixture
def watched() -> Iterator[Watched]:
    """A master with a replica and three sentinels."""
    watched = Watched()
    yield watched
    watched.close()
