"""The command: exit code and lines, with rows that are given instead of measured."""

from collections.abc import Iterable
from pathlib import Path

import bench_check
import pytest
from guard.baseline import Baseline, Row
from guard.counted import read_references
from guard.errors import BenchmarkFailed
from guard.timed import rows_of

BASELINE = Baseline("x86_64", {"frame time": Row(2.0, 0.5), "frame instructions": Row(4.0, 0.1)})


class GivenTimes:
    """Gives these ratios of one row, one a run."""

    def __init__(self, *ratios: float) -> None:
        self.ratios = list(ratios)

    def measure(self) -> dict[str, float]:
        return {"frame time": self.ratios.pop(0)}

    def measure_again(self, rows: Iterable[str]) -> dict[str, float]:
        return self.measure() if "frame time" in rows else {}


class GivenCounts:
    """Gives these rows, and others when asked again."""

    def __init__(self, rows: dict[str, float], again: dict[str, float] | None = None) -> None:
        self.rows = rows
        self.again = rows if again is None else again
        self.skipped = [] if rows else ["instructions"]

    def measure(self) -> dict[str, float]:
        return dict(self.rows)

    def measure_again(self, rows: Iterable[str]) -> dict[str, float]:
        return {name: ratio for name, ratio in self.again.items() if name in rows}


@pytest.fixture(autouse=True)
def on_x86(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


def check(
    monkeypatch: pytest.MonkeyPatch,
    times: GivenTimes,
    counts: dict[str, float],
    counts_again: dict[str, float] | None = None,
) -> int:
    monkeypatch.setattr(bench_check, "TimedRows", lambda: times)
    monkeypatch.setattr(bench_check, "CountedRows", lambda: GivenCounts(counts, counts_again))
    return bench_check.check(BASELINE, slack=1)


class TestCheck:
    def test_rows_as_before_pass(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        assert check(monkeypatch, GivenTimes(2.1), {"frame instructions": 4.0}) == 0
        assert capsys.readouterr().out == "bench-check: 2 of 2 rows are within their noise\n"

    def test_count_that_is_worse_fails_with_its_line(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert check(monkeypatch, GivenTimes(2.0), {"frame instructions": 5.0}) == 1
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "bench-check: frame instructions: ratio 5, baseline 4, allowed 4.4"

    def test_count_that_is_worse_once_passes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert check(monkeypatch, GivenTimes(2.0), {"frame instructions": 5.0}, {"frame instructions": 4.0}) == 0

    def test_time_that_is_slow_once_passes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        times = GivenTimes(9.0, 2.0)
        assert check(monkeypatch, times, {"frame instructions": 4.0}) == 0

    def test_time_that_is_slow_each_time_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        times = GivenTimes(9.0, 8.0, 9.0)
        assert check(monkeypatch, times, {"frame instructions": 4.0}) == 1
        assert times.ratios == []

    def test_machine_without_valgrind_skips_instructions_by_name(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert check(monkeypatch, GivenTimes(2.0), {}) == 0
        assert "skipped" in (out := capsys.readouterr().out) and "frame instructions" in out

    def test_instructions_of_another_architecture_say_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("platform.machine", lambda: "aarch64")
        assert check(monkeypatch, GivenTimes(2.0), {"frame instructions": 9.0}) == 0


class TestReading:
    def test_cachegrinds_total_is_read(self) -> None:
        assert read_references("==7== \n==7== I   refs:      1,234,567\n") == 1_234_567

    def test_silent_cachegrind_is_an_error(self) -> None:
        with pytest.raises(BenchmarkFailed):
            read_references("valgrind: unrecognised instruction")

    def test_rows_have_the_benchmarks_name(self) -> None:
        benchmark = {"name": "test_publish_batch[100]", "extra_info": {"ratio": 2.0}}
        assert rows_of(benchmark) == {"publish_batch[100] time": 2.0}

    def test_calls_are_a_row_of_their_own(self) -> None:
        benchmark = {"name": "test_intake", "extra_info": {"ratio": 2.0, "calls": 0.3}}
        assert rows_of(benchmark) == {"intake time": 2.0, "intake calls": 0.3}


class TestMain:
    def test_benchmark_that_can_not_run_is_said_in_words(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        def fail() -> None:
            raise BenchmarkFailed("cargo is missing")

        BASELINE.save(tmp_path / "baseline.json")
        monkeypatch.setattr(bench_check, "BASELINE", tmp_path / "baseline.json")
        monkeypatch.setattr(bench_check, "TimedRows", fail)
        monkeypatch.setattr("sys.argv", ["bench_check.py"])
        assert bench_check.main() == 1
        assert capsys.readouterr().err == "bench-check: cargo is missing\n"
