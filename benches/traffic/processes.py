"""The other side of a run: wsload's clients and the producers, as processes on the load's core."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from peers.servers import Cores, RunFailed

HERE = Path(__file__).resolve().parent.parent


def words_of(options: Mapping[str, object]) -> list[str]:
    """Options as words of a command line."""
    return [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]


class Worker:
    """A process that prints a line when it is ready, is steered through stdin, and ends with a line of JSON.

    It limits its own time; nothing here waits for longer than it lives.
    """

    def __init__(self, command: Sequence[str], core: Cores) -> None:
        self._name = " ".join(command[:2])
        self.process = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=HERE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Ends it at once, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self.process.wait()

    def line(self) -> str:
        """The next line it prints; raises `RunFailed` when it ends before that."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RunFailed(f"{self._name} ended early, code {self.process.wait()}")
        return line

    def tell(self, words: str) -> None:
        """Sends the process a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()


class Clients(Worker):
    """wsload, connected and subscribed once this exists; `ready` has its first line."""

    def __init__(self, wsload: Path, core: Cores, mode: str, address: str, clients: int, **options: object) -> None:
        super().__init__([str(wsload), mode, address, "--clients", str(clients), *words_of(options)], core)
        self.ready: dict[str, Any] = json.loads(self.line())["ready"]
        wanted = clients + int(str(options.get("never_read", 0)))
        if self.ready["subscribed"] != wanted:
            self.__exit__()
            raise RunFailed(f"{address}: {self.ready['subscribed']} of {wanted} clients subscribed: {self.ready}")

    def result(self, expected_frames: int = 0) -> dict[str, Any]:
        """What they saw, once `expected_frames` have come or nothing comes any more."""
        assert self.process.stdin is not None
        if expected_frames:
            self.tell(f"expect {expected_frames}")
        self.process.stdin.close()
        result: dict[str, Any] = json.loads(self.line())["result"]
        return result


class Producer(Worker):
    """One process of `traffic.producers`, imported and waiting for `start`."""

    def __init__(self, core: Cores, way: str, **options: object) -> None:
        super().__init__([sys.executable, "-m", "traffic.producers", way, *words_of(options)], core)
        self.line()

    def start(self) -> None:
        self.tell("go")

    def stop(self) -> None:
        """It makes no more events than it has begun, before its time is over."""
        self.process.terminate()

    def result(self) -> dict[str, Any]:
        """How many it made, in how many seconds."""
        result: dict[str, Any] = json.loads(self.line())
        return result
