"""What the demo's browsers count."""

import pytest
from awxfast.demo.browsers import Browser, Tally


class TestTally:
    def test_percentiles_of_what_was_counted(self) -> None:
        tally = Tally()
        for milliseconds in range(1, 101):
            tally.count_event(milliseconds / 1000)
        assert tally.frames == 100
        assert tally.percentile(0.5) == 50.0
        assert tally.percentile(0.99) == 99.0

    def test_nothing_counted(self) -> None:
        assert Tally().percentile(0.99) == 0.0

    def test_frames_without_a_time_count_as_frames_only(self) -> None:
        tally = Tally()
        tally.count_other()
        assert (tally.frames, tally.percentile(0.5)) == (1, 0.0)

    @pytest.mark.parametrize(("age", "milliseconds"), [(-5.0, 0.0), (1e9, 60_000.0)])
    def test_ages_that_can_not_be_are_bounded(self, age: float, milliseconds: float) -> None:
        tally = Tally()
        tally.count_event(age)
        assert tally.percentile(0.5) == milliseconds


class TestGroups:
    def test_names_are_those_that_producers_use(self) -> None:
        browser = Browser(Tally(), {"job_events": [41, 42], "jobs": ["status_changed"]})
        assert browser.group_names == ["job_events-41", "job_events-42", "jobs-status_changed"]
