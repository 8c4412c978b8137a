"""What each piece of work allocates and executes, by `counted` of `rust/benches`: hardly any load disturbs that."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from guard.errors import BenchmarkFailed

ROOT = Path(__file__).resolve().parent.parent.parent
YARDSTICK = "yardstick"
LIMIT = 600
"""Seconds after which a build or run counts as hanging."""
WARM = 1
"""Runs are counted from this many batches of them to `MANY`: what the start costs falls out of the difference."""
MANY = 3
AT_ONCE = 2
INSTRUCTIONS = " instructions"
"""What the names of their rows end in."""
_REFERENCES = re.compile(r"I\s+refs:\s+([\d,]+)")


class CountedRows:
    """The rows that are counts. `skipped`: kinds that can't be counted here."""

    def __init__(self) -> None:
        self._program = _build()
        lines = _run([self._program]).stdout.split("\n")
        self._runs = {name: int(runs) for name, _, runs in (line.partition(" ") for line in lines if line)}
        self._valgrind = shutil.which("valgrind")
        self.skipped = [] if self._valgrind else ["instructions"]

    def measure(self) -> dict[str, float]:
        """Every row: bytes allocated for each that is handled, and instructions in yardsticks."""
        names = [name for name in self._runs if name != YARDSTICK]
        rows = {f"{name} bytes": self._allocated(name) for name in names}
        if self._valgrind:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                counts = dict(zip(self._runs, pool.map(self._instructions, self._runs), strict=True))
            rows |= {f"{name}{INSTRUCTIONS}": counts[name] / counts[YARDSTICK] for name in names}
        return rows

    def measure_again(self, rows: Iterable[str]) -> dict[str, float]:
        """Instructions of those of `rows`: where two threads share the work, no two runs agree how they meet."""
        names = [row.removesuffix(INSTRUCTIONS) for row in rows if row.endswith(INSTRUCTIONS)]
        names = [name for name in names if name in self._runs]
        if not names or not self._valgrind:
            return {}
        yardstick = self._instructions(YARDSTICK)
        return {f"{name}{INSTRUCTIONS}": self._instructions(name) / yardstick for name in names}

    def _allocated(self, name: str) -> float:
        allocated, handled = _run([self._program, name, str(self._runs[name])]).stdout.split()
        return int(allocated) / int(handled)

    def _instructions(self, name: str) -> float:
        """How many instructions one run of a row takes."""
        few, many = (self._count(name, batches * self._runs[name]) for batches in (WARM, MANY))
        return (many - few) / ((MANY - WARM) * self._runs[name])

    def _count(self, name: str, runs: int) -> int:
        counter = [str(self._valgrind), "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
        return read_references(_run([*counter, self._program, name, str(runs)]).stderr)


def read_references(report: str) -> int:
    """The instructions in cachegrind's report."""
    found = _REFERENCES.search(report)
    if found is None:
        raise BenchmarkFailed(f"cachegrind did not say how many instructions it counted:\n{report[-1000:]}")
    return int(found[1].replace(",", ""))


def _build() -> str:
    command = ["cargo", "build", "--release", "--quiet", "--package", "event-path", "--message-format", "json"]
    messages = map(json.loads, _run(command).stdout.splitlines())
    [program] = [message["executable"] for message in messages if message.get("executable")]
    return str(program)


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=False)
    if done.returncode:
        raise BenchmarkFailed(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return done
