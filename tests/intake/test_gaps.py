"""Upper bounds of losses that only time measures."""

from pathlib import Path

from awxfast.intake.gaps import EVENTS_A_SECOND_AT_MOST, PUBLISHED_A_SECOND_AT_MOST, most_events_in, most_published_in


class TestMostEvents:
    def test_grows_with_the_time_and_rounds_up(self) -> None:
        assert most_events_in(2.0) == 2 * EVENTS_A_SECOND_AT_MOST
        assert most_events_in(0.000_001) == 1

    def test_no_time_no_events(self) -> None:
        assert most_events_in(0.0) == 0
        assert most_events_in(-1.0) == 0


class TestMostPublished:
    def test_grows_with_the_time_and_is_what_the_page_says(self) -> None:
        page = (Path(__file__).parents[2] / "docs" / "redis.md").read_text()
        assert f"{PUBLISHED_A_SECOND_AT_MOST:,} a second, for all groups" in page
        assert most_published_in(0.5) == PUBLISHED_A_SECOND_AT_MOST // 2
        assert most_published_in(-1.0) == 0
