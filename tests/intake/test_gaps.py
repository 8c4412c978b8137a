"""Upper bounds of losses that only time measures."""

from awxfast.intake.gaps import EVENTS_A_SECOND_AT_MOST, most_events_in


class TestMostEvents:
    def test_grows_with_the_time_and_rounds_up(self) -> None:
        assert most_events_in(2.0) == 2 * EVENTS_A_SECOND_AT_MOST
        assert most_events_in(0.000_001) == 1

    def test_no_time_no_events(self) -> None:
        assert most_events_in(0.0) == 0
        assert most_events_in(-1.0) == 0
