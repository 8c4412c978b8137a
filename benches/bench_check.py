"""Has anything become slower? Compares ratios measured now with `baseline.json`; exit code 1 if one is worse."""

import argparse
import platform
import subprocess
import sys
from pathlib import Path

from guard.baseline import Baseline, kind_of
from guard.counted import CountedRows
from guard.errors import BenchmarkFailed
from guard.timed import TimedRows

BASELINE = Path(__file__).resolve().parent / "guard" / "baseline.json"
TRIES = 3
"""How often a row may be measured before it counts as slow: noise passes, slowness stays."""
BASELINE_RUNS = 3


def check(baseline: Baseline, slack: float) -> int:
    """Prints a line for each row that is worse, and the number of those that are not."""
    timed, counted = TimedRows(), CountedRows()
    skipped = list(counted.skipped)
    measured = counted.measure()
    if baseline.machine != platform.machine():
        measured = {name: ratio for name, ratio in measured.items() if kind_of(name) != "instructions"}
        skipped.append("instructions")
    measured |= timed.measure()
    findings = baseline.findings(measured, skipped, slack)
    for _ in range(TRIES - 1):
        again = timed.measure_again(findings) | counted.measure_again(findings)
        measured |= {name: min(ratio, measured[name]) for name, ratio in again.items()}
        findings = baseline.findings(measured, skipped, slack)
    report(findings, baseline, measured)
    return 1 if findings else 0


def report(findings: dict[str, str], baseline: Baseline, measured: dict[str, float]) -> None:
    absent = [name for name in baseline.rows if name not in measured and name not in findings]
    if absent:
        print(f"bench-check: skipped, for want of valgrind or of this architecture's figures: {', '.join(absent)}")
    for line in findings.values():
        print(f"bench-check: {line}")
    good = len(measured.keys() - findings.keys())
    print(f"bench-check: {good} of {good + len(findings)} rows are within their noise")


def write_baseline(path: Path) -> None:
    """Measures all rows several times. For a quiet machine with valgrind."""
    timed, counted = TimedRows(), CountedRows()
    if counted.skipped:
        raise BenchmarkFailed("a baseline needs valgrind: apt-get install valgrind")
    runs = [timed.measure() | counted.measure() for _ in range(BASELINE_RUNS)]
    Baseline.of_runs(runs).save(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slack", type=float, default=1.0, help="how many times the stated noise times may vary")
    parser.add_argument("--write", action="store_true", help="measure a new baseline")
    arguments = parser.parse_args()
    try:
        if arguments.write:
            write_baseline(BASELINE)
            return 0
        return check(Baseline.load(BASELINE), arguments.slack)
    except (BenchmarkFailed, OSError, subprocess.SubprocessError) as error:
        print(f"bench-check: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
