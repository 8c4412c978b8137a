"""Which silence of a run is a reload's, and which the load has without."""

from typing import Any

from papers.reload_aims import missed_aims
from traffic.silences import STEP_NS, calm_spans, longest_ms, silence_figures

BEGIN = 1_000_000 * STEP_NS


def seen(*microseconds: int) -> dict[str, Any]:
    """A step each."""
    return {"series_begin_ns": BEGIN, "series_silence_us": microseconds}


def span(first: int, last: int) -> tuple[int, int]:
    """From the middle of one step to that of another."""
    return BEGIN + first * STEP_NS + STEP_NS // 2, BEGIN + last * STEP_NS + STEP_NS // 2


class TestSilence:
    def test_it_is_the_longest_that_ended_in_the_span(self) -> None:
        assert longest_ms(seen(9_000, 1_000, 2_000, 3_000, 9_000), span(1, 3)) == 3

    def test_span_may_reach_beyond_the_run(self) -> None:
        assert longest_ms(seen(1_000, 2_000), (BEGIN - 5 * STEP_NS, BEGIN + 9 * STEP_NS)) == 2
        assert longest_ms(seen(1_000), span(3, 4)) == 0

    def test_reloads_are_set_against_as_long_a_time_without(self) -> None:
        figures = silence_figures(
            seen(1_000, 2_000, 30_000, 3_000, 50_000, 4_000), [span(2, 2), span(4, 4)], [span(0, 1), span(3, 3)]
        )
        assert (figures["silence_median_ms"], figures["silence_max_ms"]) == (40, 50)
        assert (figures["calm_median_ms"], figures["calm_max_ms"]) == (2.5, 3)
        assert (figures["median_over_calm_ms"], figures["max_over_calm_ms"]) == (37.5, 47)


class TestCalm:
    def test_what_is_left_over_is_no_part(self) -> None:
        assert calm_spans(10, 35, 10) == [(10, 20), (20, 30)]


GOOD = dict.fromkeys(
    ("missing", "counted_lost", "uncounted", "reordered", "repeated", "disconnected", "refused", "shed", "balance"), 0.0
)


class TestAims:
    def test_middle_of_the_runs_counts_where_time_does(self) -> None:
        runs = [{**GOOD, "max_over_calm_ms": over} for over in (10.0, 9_000.0, 250.0)]
        assert missed_aims("native", runs) == []
        assert missed_aims("native", runs[1:]) == ["max_over_calm_ms 4625, at most 250"]

    def test_each_run_counts_where_something_is_lost(self) -> None:
        assert missed_aims("dialler", [GOOD, {**GOOD, "missing": 3.0}]) == ["missing 3 in run 2"]

    def test_what_consumers_miss_that_begin_anew_must_be_counted(self) -> None:
        assert missed_aims("replay", [{**GOOD, "missing": 3.0, "counted_lost": 5.0}]) == []
        assert missed_aims("replay", [{**GOOD, "missing": 3.0, "uncounted": 3.0}]) == ["uncounted 3 in run 1"]
