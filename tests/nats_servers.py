"""Real clusters of NATS that tests may kill, freeze and reconfigure."""

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from programs import require_program
from redis_servers import free_port

HANG = 20.0
"""Seconds after which something that does not happen counts as failed."""
RELOADED = "Reloaded server configuration"


class NatsServer:
    """A nats-server on ports of the loopback, each time on the same. `settings`: lines of its configuration."""

    def __init__(self, folder: Path, name: str, settings: str = "", routes: list[int] | None = None) -> None:
        self.binary = require_program("nats-server")
        self.folder = folder
        self.name = name
        self.settings = settings
        self.port, self.monitor_port, self.route_port = free_port(), free_port(), free_port()
        self.routes = routes or []
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / f"{self.name}.log").read_text()

    def start(self) -> None:
        """Returns when it answers."""
        config = self.folder / f"{self.name}.conf"
        config.write_text(self.describe())
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen([self.binary, "-c", str(config)], stdout=log, stderr=log)
        wait_until(self.answers, f"the NATS server of this test does not answer: {self.log[-500:]}")

    def describe(self) -> str:
        """Its configuration."""
        routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in self.routes if port != self.route_port)
        cluster = (
            f"cluster {{ name: test, listen: 127.0.0.1:{self.route_port}, routes: [{routes}] }}" if self.routes else ""
        )
        return (
            f"server_name: {self.name}\nlisten: 127.0.0.1:{self.port}\nhttp: 127.0.0.1:{self.monitor_port}\n"
            f"{cluster}\n{self.settings}\n"
        )

    def answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as probe:
            return probe.recv(4).startswith(b"INFO")
        return False

    def look(self, page: str) -> dict[str, Any]:
        """What it tells of itself: `varz`, `connz`, `routez`, `subsz`."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.monitor_port}/{page}", timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def reload(self, settings: str) -> None:
        """Obeys other lines from now on."""
        assert self.process is not None
        config = self.folder / f"{self.name}.conf"
        self.settings = settings
        config.write_text(self.describe())
        times = self.log.count(RELOADED)
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.log.count(RELOADED) > times, f"NATS does not reload: {self.log[-500:]}")

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None


class NatsCluster:
    """So many servers, each of which knows the others."""

    def __init__(self, servers: int = 3, settings: str = "") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="awxfast-nats-"))
        self.servers = [NatsServer(self.folder, f"n{number}", settings) for number in range(servers)]
        routes = [server.route_port for server in self.servers] if servers > 1 else []
        try:
            for server in self.servers:
                server.routes = routes
                server.start()
            wait_until(self.is_whole, "the servers of NATS do not find each other")
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        return f"nats://{','.join(server.place for server in self.servers)}"

    def is_whole(self) -> bool:
        return all(server.look("routez")["num_routes"] >= len(self.servers) - 1 for server in self.servers)

    def at(self, port: int) -> NatsServer:
        """The server that clients find there."""
        return next(server for server in self.servers if server.port == port)

    def close(self) -> None:
        for server in self.servers:
            if server.runs:
                server.kill()
        shutil.rmtree(self.folder)


def wait_until(holds: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + HANG
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(otherwise)
        time.sleep(0.02)


@pytest.fixture
def nats_cluster() -> Iterator[NatsCluster]:
    """Three servers for this test alone."""
    cluster = NatsCluster()
    yield cluster
    cluster.close()


@pytest.fixture
def start_nats() -> Iterator[Callable[..., NatsServer]]:
    """Starts servers that are alone, with settings of the test's choice."""
    clusters: list[NatsCluster] = []

    def start(settings: str = "") -> NatsServer:
        clusters.append(NatsCluster(1, settings))
        return clusters[-1].servers[0]

    yield start
    for cluster in clusters:
        cluster.close()
