"""Figures of runs as tables."""

from papers.tables import better, number, spread, table

RUNS = {
    "daphne": [{"frames_per_cpu_s": 10.0, "p99_ms": 20.0}, {"frames_per_cpu_s": 20.0, "p99_ms": 30.0}],
    "awxfast": [{"frames_per_cpu_s": 1000.0, "p99_ms": 2.0}, {"frames_per_cpu_s": 4000.0, "p99_ms": 1.0}],
}


class TestRatios:
    def test_more_frames_and_less_latency_are_both_better(self) -> None:
        assert better("frames_per_cpu_s", RUNS) == [100.0, 200.0]
        assert better("p99_ms", RUNS) == [10.0, 30.0]

    def test_figures_of_no_merit_have_none(self) -> None:
        assert better("made_per_s", {"daphne": [{"made_per_s": 1.0}], "awxfast": [{"made_per_s": 2.0}]}) == []

    def test_producers_are_compared_with_fresh_loops(self) -> None:
        runs = {"fresh-loops": [{"made_per_s": 2.0}], "layer": [{"made_per_s": 20.0}]}
        assert better("made_per_s", runs, "layer") == [10]


class TestCells:
    def test_spread_is_minimum_median_maximum(self) -> None:
        assert spread([3.0, 1.0, 200.0]) == "1 / 3 / 200"

    def test_equal_values_are_written_once(self) -> None:
        assert spread([0.0, 0.0]) == "0"

    def test_numbers_have_three_digits_or_all(self) -> None:
        assert [number(value) for value in (0.012345, 12.345, 1234.5)] == ["0.0123", "12.3", "1,234"]


class TestTable:
    def test_row_has_every_server_and_the_ratio(self) -> None:
        assert "| p99 ms | 20 / 25 / 30 | 1 / 1.5 / 2 | 10 / 20 / 30 |" in table(RUNS).splitlines()

    def test_absent_server_is_named_below(self) -> None:
        assert table({}, {"nchan": "not installed"}) == "nchan: not installed"
