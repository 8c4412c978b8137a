"""Runs the benchmarks of `benches/guard/test_*.py`, and reads what ratios they found."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from guard.errors import BenchmarkFailed

BENCHES = Path(__file__).resolve().parent.parent
LIMIT = 300
"""Seconds after which a run counts as hanging."""


class TimedRows:
    """The rows that are times, or come with them; run again in part when something looks slow."""

    def __init__(self) -> None:
        self._tests: dict[str, str] = {}

    def measure(self) -> dict[str, float]:
        """Measures every row once."""
        return self._run([str(BENCHES)])

    def measure_again(self, rows: Iterable[str]) -> dict[str, float]:
        """Those of `rows` that are of this sort."""
        tests = [self._tests[row] for row in rows if row in self._tests]
        return self._run(tests) if tests else {}

    def _run(self, tests: list[str]) -> dict[str, float]:
        with tempfile.TemporaryDirectory(prefix="awxfast-bench-") as folder:
            result = Path(folder) / "result.json"
            _pytest(tests, result)
            document = json.loads(result.read_text())
        rows: dict[str, float] = {}
        for benchmark in document["benchmarks"]:
            found = rows_of(benchmark)
            self._tests |= dict.fromkeys(found, str(BENCHES.parent / benchmark["fullname"]))
            rows |= found
        return rows


def rows_of(benchmark: Mapping[str, Any]) -> dict[str, float]:
    """`test_publish_batch[100]` gives `publish_batch[100] time`, and one of calls if they were counted."""
    name, found = benchmark["name"].removeprefix("test_"), benchmark["extra_info"]
    calls = {f"{name} calls": found["calls"]} if "calls" in found else {}
    return {f"{name} time": found["ratio"], **calls}


def _pytest(tests: list[str], result: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(BENCHES.parent)]
    command += ["--benchmark-disable-gc", "--benchmark-quiet", f"--benchmark-json={result}", *tests]
    done = subprocess.run(command, cwd=BENCHES.parent, capture_output=True, text=True, timeout=LIMIT, check=False)
    if done.returncode or not result.exists():
        raise BenchmarkFailed(f"the benchmarks themselves failed:\n{done.stdout[-4000:]}{done.stderr[-1000:]}")
