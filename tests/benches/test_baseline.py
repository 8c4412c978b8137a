"""What counts as worse: the allowance of each kind of row, and the words of a finding."""

from pathlib import Path

import pytest
from guard.baseline import Baseline, Row, kind_of

BASELINE = Baseline(
    "x86_64", {"frame time": Row(2.0, 0.5), "frame instructions": Row(4.0, 0.1), "frame bytes": Row(0, 0.05)}
)
AS_BEFORE = {"frame time": 2.0, "frame instructions": 4.0, "frame bytes": 0.0}


def findings(slack: float = 1.0, skipped: tuple[str, ...] = (), **changes: float) -> dict[str, str]:
    """What is found when rows of `frame` have changed."""
    measured = AS_BEFORE | {f"frame {kind}": ratio for kind, ratio in changes.items()}
    return BASELINE.findings(measured, skipped, slack)


class TestAllowance:
    def test_nothing_is_found_where_nothing_has_changed(self) -> None:
        assert findings() == {}

    def test_ratio_within_its_noise_passes(self) -> None:
        assert findings(time=3.0, instructions=4.4) == {}

    def test_ratio_past_its_noise_is_told_with_what_was_allowed(self) -> None:
        assert findings(time=3.1) == {"frame time": "frame time: ratio 3.1, baseline 2, allowed 3"}

    def test_slack_widens_the_noise_of_times(self) -> None:
        assert findings(slack=4, time=6.0) == {}
        assert findings(slack=4, time=6.1).keys() == {"frame time"}

    def test_slack_leaves_counts_as_they_are(self) -> None:
        assert findings(slack=4, instructions=4.5).keys() == {"frame instructions"}

    def test_faster_is_no_finding(self) -> None:
        assert findings(time=0.1, instructions=0.1) == {}

    def test_first_allocation_where_there_was_none_is_found(self) -> None:
        assert findings(bytes=1.0).keys() == {"frame bytes"}
        assert findings(bytes=0.005) == {}, "one at the start"


class TestRowsThatAreNotOnBothSides:
    def test_new_row_wants_a_baseline(self) -> None:
        assert BASELINE.findings(AS_BEFORE | {"nonce time": 1.0}, [], 1).keys() == {"nonce time"}

    def test_row_that_was_not_measured_is_found(self) -> None:
        assert BASELINE.findings({"frame time": 2.0, "frame bytes": 0.0}, [], 1).keys() == {"frame instructions"}

    def test_row_that_can_not_be_counted_here_is_not(self) -> None:
        assert BASELINE.findings({"frame time": 2.0, "frame bytes": 0.0}, ["instructions"], 1) == {}


class TestMaking:
    def test_row_is_the_median_and_states_the_least_noise(self) -> None:
        runs = [{"frame time": ratio, "frame bytes": 1.0} for ratio in (1.0, 1.1, 1.05)]
        assert Baseline.of_runs(runs).rows == {"frame time": Row(1.05, 0.5), "frame bytes": Row(1.0, 0.05)}

    def test_row_that_differs_more_states_twice_that(self) -> None:
        runs = [{"frame instructions": ratio} for ratio in (10.0, 9.0, 11.0)]
        assert Baseline.of_runs(runs).rows == {"frame instructions": Row(10.0, 0.4)}

    def test_what_is_saved_is_loaded(self, tmp_path: Path) -> None:
        BASELINE.save(tmp_path / "baseline.json")
        assert Baseline.load(tmp_path / "baseline.json") == BASELINE

    @pytest.mark.parametrize("kind", ["time", "instructions", "bytes"])
    def test_committed_baseline_has_rows_of_each_kind(self, kind: str) -> None:
        path = Path(__file__).resolve().parents[2] / "benches" / "guard" / "baseline.json"
        assert [name for name in Baseline.load(path).rows if kind_of(name) == kind]
