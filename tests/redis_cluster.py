"""A real cluster of six servers, three of them replicas, that tests may kill, freeze and move slots in."""

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis_servers import HANG, binary_of

NODE_TIMEOUT_MS = 1_000
"""After which the cluster takes a silent server for dead; a failover follows within about as much again."""

TLS_THROUGHOUT = ("--tls-cluster", "yes", "--tls-replication", "yes")
"""Else a cluster names its ports without TLS to everybody."""

SLOTS = 16_384

MOST_TRIES = 12
"""To have six servers: each may find a port taken."""


class ClusterNode:
    """One server."""

    def __init__(self, binary: str, folder: Path, options: tuple[str, ...], tls: bool) -> None:
        self.binary, self.options, self.tls = binary, options, tls
        self.port, self.bus, self.plain = free_ports()
        self.folder = folder / str(self.port)
        self.folder.mkdir()
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        ports = ("--port", str(self.port))
        if self.tls:
            ports = ("--tls-port", str(self.port), "--port", str(self.plain), *TLS_THROUGHOUT)
        self.process = subprocess.Popen(
            [
                *(self.binary, *ports, "--cluster-port", str(self.bus), "--bind", "127.0.0.1"),
                *("--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS)),
                *("--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0", "--repl-timeout", "5"),
                *("--repl-ping-replica-period", "1"),
                *("--save", "", "--appendonly", "no", "--dir", str(self.folder), *self.options),
            ],
            stdout=subprocess.DEVNULL,
        )

    def ask(self, *words: Any, seconds: float = HANG) -> Any:
        """One command past the code under test, and what it is answered in RESP2; never over TLS."""
        port = self.plain if self.tls else self.port
        connection = redis.Connection(port=port, protocol=2, socket_timeout=seconds)
        try:
            connection.connect()
            connection.send_command(*words)
            return connection.read_response()
        finally:
            connection.disconnect()

    @property
    def id(self) -> str:
        return str(self.ask("CLUSTER", "MYID").decode())

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def send_signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def freeze(self) -> None:
        self.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


class RedisCluster:
    """The first three are masters to begin with, the others the replicas of one each, in that order."""

    def __init__(self, binary: str | None = None, *options: str, tls: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="awxfast-cluster-"))
        self.nodes: list[ClusterNode] = []
        self._next_meeting = 0.0
        try:
            for _ in range(MOST_TRIES):
                if len(self.nodes) < 6:
                    self._add(ClusterNode(binary or binary_of("installed"), self.folder, options, tls))
            assert len(self.nodes) == 6, "the servers of this cluster end at once"
            self._join()
        except BaseException:
            self.close()
            raise

    def _add(self, node: ClusterNode) -> None:
        """Unless somebody else has taken one of its ports meanwhile: then it has ended, and the next one is tried."""
        self.nodes.append(node)
        self.wait_until(lambda: not node.is_alive or bool(node.ask("PING")), "a server does not answer")
        if not node.is_alive:
            self.nodes.remove(node)

    @property
    def servers(self) -> str:
        """As an engine's address has them."""
        return ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    @property
    def url(self) -> str:
        return f"redis-cluster://{self.servers}"

    def owner(self, slot: int) -> ClusterNode:
        """Who has it, as most of the living see it."""
        ports = [owner_port(node, slot) for node in self.nodes if node.is_alive]
        port = max(set(ports), key=ports.count)
        return next(node for node in self.nodes if node.port == port)

    def move_slot(self, slot: int, target: ClusterNode) -> None:
        """As `redis-cli --cluster reshard` does it."""
        source = self.owner(slot)
        if source is target:
            return
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)
        target.ask("CLUSTER", "SETSLOT", slot, "NODE", target.id)
        source.ask("CLUSTER", "SETSLOT", slot, "NODE", target.id)

    def wait_until(self, holds: Callable[[], bool], what: str) -> None:
        """Of something that a cluster comes to by itself."""
        deadline = time.monotonic() + HANG
        while not attempt(holds):
            if time.monotonic() > deadline:
                pytest.fail(f"the cluster of this test: {what}")
            time.sleep(0.02)

    def close(self) -> None:
        for node in self.nodes:
            node.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _join(self) -> None:
        for number, node in enumerate(self.nodes, 1):
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number)
        bounds = (0, 5_461, 10_923, SLOTS)
        for number in range(3):
            self.nodes[number].ask("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
        self.wait_until(self._have_met, "its servers do not meet")
        for number in range(3):
            replica, master = self.nodes[number + 3], self.nodes[number].id
            replica.ask("CLUSTER", "REPLICATE", master)
        self.wait_until(lambda: all(is_whole(node) for node in self.nodes), "it does not become whole")

    def _have_met(self) -> bool:
        """On a busy machine a handshake may be too slow for the small timeout: whoever is missing is told again."""
        if all(len(known(node)) == 6 for node in self.nodes):
            return True
        if time.monotonic() >= self._next_meeting:
            self._next_meeting = time.monotonic() + 2
            first = self.nodes[0]
            for node in self.nodes[1:]:
                node.ask("CLUSTER", "MEET", "127.0.0.1", first.port, first.bus)
        return False


def is_whole(node: ClusterNode) -> bool:
    """Whether it sees a cluster that works, with all masters and their replicas."""
    state = node.ask("CLUSTER", "INFO").decode()
    ranges = node.ask("CLUSTER", "SLOTS")
    return "cluster_state:ok" in state and len(ranges) == 3 and all(len(entry) >= 4 for entry in ranges)


def known(node: ClusterNode) -> list[str]:
    return [line for line in node.ask("CLUSTER", "NODES").decode().splitlines() if "handshake" not in line]


def run_cluster() -> Iterator[RedisCluster]:
    """Of the installed Redis."""
    running = RedisCluster()
    yield running
    running.close()


cluster = pytest.fixture(run_cluster, scope="module")
"""For all tests of a file: what they do to it, they undo, or nobody minds."""
own_cluster = pytest.fixture(run_cluster)
"""For one test."""


def owner_port(node: ClusterNode, slot: int) -> int:
    """Who has the slot, in one server's eyes; 0: it does not say."""
    with contextlib.suppress(redis.RedisError):
        ranges = node.ask("CLUSTER", "SLOTS", seconds=0.5)
        return next((int(entry[2][1]) for entry in ranges if entry[0] <= slot <= entry[1]), 0)
    return 0


def attempt(holds: Callable[[], bool]) -> bool:
    """A server that does not answer yet makes it untrue."""
    try:
        return holds()
    except redis.RedisError:
        return False


def free_ports() -> tuple[int, int, int]:
    """Three that are free now: held together, so that none is given twice."""
    probes = [socket.socket() for _ in range(3)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        first, second, third = (int(probe.getsockname()[1]) for probe in probes)
        return first, second, third
    finally:
        for probe in probes:
            probe.close()
