"""Starts and stops what a run is made of: Redis and awxfast. Only processes started here are ever ended."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from machine.accounting import Usage, usage_of
from traffic.encrypted_queue import KEY
from traffic.host_queues import list_hosts
from workloads.kinds import APPLICATION

HERE = Path(__file__).resolve().parent.parent
START_SECONDS = 20.0
STOP_SECONDS = 10.0
LOOPBACK = "127.0.0.1"

Cores = int | str
"""A core's number, or several as taskset(1) has them."""


class RunFailed(Exception):
    """Why a server has no figures for a workload."""


class Program:
    """One process on one core. A context manager: it runs inside `with`; its output is in `log`."""

    proxy: "Program | None" = None
    """What stands between it and its clients, and counts as a part of it."""

    def __init__(
        self, command: Sequence[str], core: Cores, log: Path, environment: dict[str, str] | None = None
    ) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                ["taskset", "-c", str(core), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {})},
                cwd=HERE,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def usage(self) -> Usage:
        """CPU and memory of the process and its children."""
        own = usage_of(self.process.pid)
        return own if self.proxy is None else own + self.proxy.usage()

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Waits for `ready`; raises `RunFailed` with the program's own words when it does not come."""
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                words = self.log.read_text(errors="replace")[-2000:]
                self.__exit__()
                raise RunFailed(f"{self.log.stem} did not start:\n{words}")
            time.sleep(0.05)


class Redis(Program):
    """A Redis without persistence on a unix socket in `folder`."""

    def __init__(self, folder: Path, core: Cores) -> None:
        self.socket = folder / "redis.sock"
        command = ["redis-server", "--port", "0", "--unixsocket", str(self.socket), "--save", "", "--appendonly", "no"]
        super().__init__([*command, "--dir", str(folder)], core, folder / "redis.log")
        self.wait_until(lambda: self.ask("PING") == "PONG")

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def ask(self, *words: str) -> str:
        """One command through redis-cli; what it prints."""
        command = ["redis-cli", "-s", str(self.socket), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


class Server(Program):
    """A relay that is being measured, listening on `address`."""

    name: str
    address: str
    client_options: ClassVar[dict[str, str]] = {}
    """What wsload must know of it."""
    drain_seconds = 5
    """How long clients wait for what is late, after the producer's end. Peers past their limit need minutes."""

    def counters(self) -> dict[str, Any] | None:
        """Its own account of a run, if it keeps one."""
        return None

    def producer(self, way: str, redis: Redis) -> tuple[str, dict[str, str]]:
        """How events reach it when `way` is the usual one, and the option that says where."""
        return way, {"redis": redis.url}


class Awxfast(Server):
    """awxfast in native mode, with its defaults."""

    name = "awxfast"
    # It takes events off Redis ahead of its clients and sends all of them; a run ends as soon as they are there.
    drain_seconds = 20

    def __init__(self, redis: Redis, core: Cores, folder: Path, environment: dict[str, str]) -> None:
        self._admin_port = free_port()
        command = [sys.executable, "-m", "awxfast", *self.listen(folder), "-v", "0"]
        command += ["--admin", f"{LOOPBACK}:{self._admin_port}", *self.mode(redis)]
        super().__init__(command, core, folder / f"{self.name}.log", environment)
        self.wait_until(lambda: self._get("/readyz") is not None)

    def listen(self, folder: Path) -> list[str]:
        """Where it listens; sets `address`."""
        port = free_port()
        self.address = f"{LOOPBACK}:{port}"
        return ["-b", LOOPBACK, "-p", str(port)]

    def mode(self, redis: Redis) -> list[str]:
        """Options that say what it serves."""
        return ["--auth", "open", "--redis", redis.url]

    def counters(self) -> dict[str, Any] | None:
        ledger = self._get("/ledger")
        return None if ledger is None else json.loads(ledger)

    def _get(self, path: str) -> bytes | None:
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self._admin_port}{path}", timeout=5) as answer:
                body: bytes = answer.read()
                return body
        except OSError:
            return None


class Encrypted(Awxfast):
    """awxfast on an encrypted channel layer."""

    name = "encrypted"

    def listen(self, folder: Path) -> list[str]:
        keys = folder / "layer-keys"
        keys.write_text(KEY)
        return ["--encryption-key-file", str(keys), *super().listen(folder)]

    def producer(self, way: str, redis: Redis) -> tuple[str, dict[str, str]]:
        return "encrypted", {"redis": redis.url}


class Hosts(Awxfast):
    """awxfast on a layer with several Redis."""

    name = "hosts"

    def mode(self, redis: Redis) -> list[str]:
        return ["--auth", "open", *(word for url in list_hosts(redis.url) for word in ("--redis", url))]

    def producer(self, way: str, redis: Redis) -> tuple[str, dict[str, str]]:
        return "hosts", {"redis": redis.url}


class Lists(Awxfast):
    """awxfast on the layer of channels_redis 2, whose queues are lists."""

    name = "lists"

    def mode(self, redis: Redis) -> list[str]:
        return ["--layer", "lists", *super().mode(redis)]

    def producer(self, way: str, redis: Redis) -> tuple[str, dict[str, str]]:
        return "lists", {"redis": redis.url}


class PubSub(Awxfast):
    """awxfast on channels_redis' pub/sub layer."""

    name = "pubsub"

    def mode(self, redis: Redis) -> list[str]:
        return ["--layer", "pubsub", *super().mode(redis)]

    def producer(self, way: str, redis: Redis) -> tuple[str, dict[str, str]]:
        return "pubsub", {"redis": redis.url}


class Hosted(Awxfast):
    """awxfast with daphne's application; every event goes through its consumer."""

    name = "hosted"

    def __init__(
        self, redis: Redis, core: Cores, folder: Path, environment: dict[str, str], application: str = APPLICATION
    ) -> None:
        self._application = application
        super().__init__(redis, core, folder, environment)

    def mode(self, redis: Redis) -> list[str]:
        return ["--websocket_timeout", "-1", self._application]


class Direct(Hosted):
    """The application hosted, events past the consumer, as for AWX."""

    name = "direct"

    def mode(self, redis: Redis) -> list[str]:
        return ["--direct", "internal.message", *super().mode(redis)]


class OneWorker(Hosted):
    """The application hosted by one worker."""

    name = "one-worker"
    workers = 1

    def mode(self, redis: Redis) -> list[str]:
        return ["--workers", str(self.workers), *super().mode(redis)]


class TwoWorkers(OneWorker):
    """The application hosted by two workers."""

    name = "two-workers"
    workers = 2


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def accepts_connections(port: int) -> bool:
    """Whether somebody listens at the server's port."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0
