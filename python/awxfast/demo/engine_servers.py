"""Servers of an engine for whoever has none: Redis in a cluster, or NATS, on loopback ports, gone when this process is.

Synchronous, and next to no options: the demo and the benchmarks begin with it, and have no loop yet.
"""

import contextlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import redis

from awxfast.errors import StartError
from awxfast.system.child_process import ChildProcess
from awxfast.system.offspring import dying_with_us

LOOPBACK = "127.0.0.1"
START_TIMEOUT = 30.0
STOP_TIMEOUT = 5.0
SLOTS = 16_384
SLOT_FIELDS = 8
"""Words of a line of CLUSTER NODES before its slots."""
OLDEST_REDIS = 7
"""The first with sharded Pub/Sub."""


class EngineServers(Protocol):
    """An engine that runs as soon as it exists."""

    url: str
    """For `--engine` of servers and diallers."""

    @property
    def pids(self) -> list[int]:
        """Of all servers that it has."""

    def stop(self) -> None:
        """Ends all of it and removes its folder. Idempotent."""


class ServerGroup:
    """Processes that are started and ended together, each with a log in one folder."""

    def __init__(self, before: Sequence[str]) -> None:
        """`before`: words before each command, as `taskset -c 1`."""
        self._before = list(before)
        self._processes: list[ChildProcess] = []
        self.folder = Path(tempfile.mkdtemp(prefix="awxfast-engine-"))

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes]

    def start(self, name: str, command: Sequence[str]) -> None:
        """One of them; it dies with this process."""
        with (self.folder / f"{name}.log").open("wb") as log:
            process = ChildProcess.start(
                dying_with_us([*self._before, *command]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes.append(process)

    def wait_until(self, ready: Callable[[], bool], what: str) -> None:
        """Raises `StartError` when one of them ends, or `ready` does not come."""
        deadline = time.monotonic() + START_TIMEOUT
        while not ready():
            ended = any(process.poll() is not None for process in self._processes)
            if ended or time.monotonic() > deadline:
                why = f"one ended: {self._last_words()}" if ended else f"nothing after {START_TIMEOUT:g} s"
                raise StartError(f"{what} did not start: {why}")
            time.sleep(0.02)

    def _last_words(self) -> str:
        logs = [log.read_text("utf-8", "replace") for log in sorted(self.folder.glob("*.log"))]
        lines = "\n".join(logs).split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")

    def stop(self) -> None:
        """All at once: nobody waits for another's failover."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            if not process.wait(STOP_TIMEOUT):
                process.kill()
                process.wait(STOP_TIMEOUT)
        shutil.rmtree(self.folder, ignore_errors=True)


class RedisClusterServers:
    """Masters that share the slots, and replicas of them, without persistence."""

    def __init__(self, masters: int = 3, replicas: int = 0, before: Sequence[str] = ()) -> None:
        """Raises `StartError`. `replicas` of each master."""
        server = find_program("redis-server", "valkey-server")
        require_sharded_pubsub(server)
        count = masters * (1 + replicas)
        ports = free_ports(2 * count)
        self._group = ServerGroup(before)
        self._ports, buses = ports[:count], ports[count:]
        self.url = "redis-cluster://" + ",".join(f"{LOOPBACK}:{port}" for port in self._ports)
        with stopping_on_error(self._group):
            for port, bus in zip(self._ports, buses, strict=True):
                self._group.start(str(port), self._command(server, port, bus))
            self._group.wait_until(lambda: all(map(accepts_connections, self._ports)), "the Redis Cluster")
            self._join(buses, masters)

    @property
    def pids(self) -> list[int]:
        return self._group.pids

    def stop(self) -> None:
        self._group.stop()

    def _command(self, server: str, port: int, bus: int) -> list[str]:
        folder = self._group.folder / f"node-{port}"
        folder.mkdir()
        options = {
            "bind": LOOPBACK,
            "port": str(port),
            "cluster-enabled": "yes",
            "cluster-port": str(bus),
            "cluster-node-timeout": "2000",
            "save": "",
            "appendonly": "no",
            "dir": str(folder),
            "loglevel": "warning",
        }
        return [server, *(word for name, value in options.items() for word in (f"--{name}", value))]

    def _join(self, buses: Sequence[int], masters: int) -> None:
        """As `redis-cli --cluster create` does it: slots, introductions, and whose replica each of the others is."""
        nodes = [redis.Redis(port=port, socket_timeout=START_TIMEOUT, decode_responses=True) for port in self._ports]
        with contextlib.ExitStack() as stack:
            for node in nodes:
                stack.callback(node.close)
            for number, node in enumerate(nodes[:masters]):
                first, end = (SLOTS * share // masters for share in (number, number + 1))
                ask(node, "ADDSLOTSRANGE", first, end - 1)
            for port, bus in zip(self._ports[1:], buses[1:], strict=True):
                ask(nodes[0], "MEET", LOOPBACK, port, bus)
            self._group.wait_until(lambda: all(knows(node, len(nodes)) for node in nodes), "the Redis Cluster")
            names = [ask(node, "MYID") for node in nodes[:masters]]
            for number, node in enumerate(nodes[masters:]):
                ask(node, "REPLICATE", names[number % masters])
            self._group.wait_until(
                lambda: all(is_well(node, masters, len(nodes)) for node in nodes), "the Redis Cluster"
            )


class NatsServers:
    """A cluster of NATS servers, each with a route to each."""

    def __init__(self, count: int = 3, before: Sequence[str] = ()) -> None:
        """Returns when all know each other. Raises `StartError`."""
        server = find_program("nats-server")
        ports = free_ports(2 * count)
        clients, routes = ports[:count], ports[count:]
        self._group = ServerGroup(before)
        self.url = "nats://" + ",".join(f"{LOOPBACK}:{port}" for port in clients)
        with stopping_on_error(self._group):
            for port, route in zip(clients, routes, strict=True):
                self._group.start(str(port), self._command(server, port, route, routes))
            self._group.wait_until(lambda: all(map(accepts_connections, clients)), "NATS")
            self._group.wait_until(lambda: self._count_routes() >= count * (count - 1), "NATS")

    @property
    def pids(self) -> list[int]:
        return self._group.pids

    def stop(self) -> None:
        self._group.stop()

    def _command(self, server: str, port: int, route: int, routes: Sequence[int]) -> list[str]:
        known = ",".join(f"nats://{LOOPBACK}:{other}" for other in routes if other != route)
        words = [server, "-a", LOOPBACK, "-p", str(port), "--cluster_name", "awxfast", "--name", f"awxfast-{port}"]
        return [*words, "--cluster", f"nats://{LOOPBACK}:{route}", *(["--routes", known] if known else [])]

    def _count_routes(self) -> int:
        """As many lines say so; each route has one at both of its ends."""
        texts = [log.read_text("utf-8", "replace") for log in self._group.folder.glob("*.log")]
        return sum(len(re.findall(r"Route connection created", text)) for text in texts)


STARTERS: dict[str, Callable[[], EngineServers]] = {"redis-cluster": RedisClusterServers, "nats": NatsServers}
"""By the kind that `--engine` names."""


@contextlib.contextmanager
def stopping_on_error(group: ServerGroup) -> Iterator[None]:
    """What was started does not outlive a start that failed."""
    try:
        yield
    except BaseException as error:
        group.stop()
        if isinstance(error, redis.RedisError):
            raise StartError(f"the Redis Cluster did not start: {error}") from error
        raise


def find_program(*names: str) -> str:
    """The first of these that is installed. Raises `StartError`."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        raise StartError(f"no {' or '.join(names)} on the PATH: install one (apt install {names[0]})")
    return found


def require_sharded_pubsub(server: str) -> None:
    """Raises `StartError` for a Redis that is too old."""
    said = subprocess.run([server, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"v=(\d+)", said)
    if found is None or int(found[1]) < OLDEST_REDIS:
        raise StartError(f"{server} has no sharded Pub/Sub: Redis {OLDEST_REDIS} or Valkey is needed")


def ask(node: redis.Redis, *words: str | int) -> str:
    """One of CLUSTER's commands; the words apart, so that the answer comes as Redis gives it."""
    return str(node.execute_command("CLUSTER", *words))  # type: ignore[no-untyped-call]


def knows(node: redis.Redis, count: int) -> bool:
    """Whether it has heard of all."""
    return len(ask(node, "NODES").splitlines()) == count


def is_well(node: redis.Redis, masters: int, count: int) -> bool:
    """Whether it finds all slots served, nobody absent, and each of the others in its role."""
    lines = [words for line in ask(node, "NODES").splitlines() if "connected" in (words := line.split())]
    leading = [words for words in lines if "master" in words[2]]
    served = all(len(words) > SLOT_FIELDS for words in leading)
    return "cluster_state:ok" in ask(node, "INFO") and served and (len(leading), len(lines)) == (masters, count)


def accepts_connections(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def free_ports(count: int) -> list[int]:
    """All different, and free now."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [probe.getsockname()[1] for probe in probes]
