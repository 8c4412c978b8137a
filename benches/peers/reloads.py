"""Reloads of a running server or dialler, as an operator asks for them."""

import re
import subprocess
import sys
import time
from dataclasses import dataclass

from peers.servers import Program, RunFailed

LIMIT_SECONDS = 120.0
LINE = re.compile(r"generation \d+, (?P<kept>\d+) sockets kept, \d+ drained, silence at most (?P<silence>\d+) ms")


@dataclass(frozen=True)
class Reload:
    """One that was done: when (Unix time in nanoseconds), and what its line says."""

    begin_ns: int
    end_ns: int
    kept: int
    said_ms: float

    @property
    def seconds(self) -> float:
        """From the command to its answer."""
        return (self.end_ns - self.begin_ns) / 1e9


def reload(program: Program) -> Reload:
    """Reloads it and waits. Raises `RunFailed` where the old process goes on."""
    begin = time.time_ns()
    command = [sys.executable, "-m", "awxfast", "reload", "--pid", str(program.process.pid)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
    found = LINE.search(done.stdout)
    if done.returncode or found is None:
        raise RunFailed(f"the reload failed: {done.stdout}{done.stderr}")
    return Reload(begin, time.time_ns(), int(found["kept"]), float(found["silence"]))
