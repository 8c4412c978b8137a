"""Whether consumers keep up."""

import dataclasses

import pytest
from awxfast.hosted.progress import JUDGED_EVERY, WINDOW, Progress
from clocks import Clock


@dataclasses.dataclass(eq=False)
class Channel:
    is_behind: bool = True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(clock: Clock) -> Progress:
    return Progress(clock)


def judge(progress: Progress, clock: Clock, members: int) -> bool:
    clock.now += JUDGED_EVERY
    return progress.is_behind(members)


class TestVerdict:
    def test_nobody_is_behind_before_anything_was_taken(self, progress: Progress, clock: Clock) -> None:
        assert not judge(progress, clock, 0)
        assert not judge(progress, clock, 10)

    @pytest.mark.parametrize(("behind", "verdict"), [(5, False), (6, True)])
    def test_more_than_half_of_the_members_must_be_behind(
        self, progress: Progress, clock: Clock, behind: int, verdict: bool
    ) -> None:
        for _ in range(behind):
            progress.note(Channel())
        assert judge(progress, clock, 10) is verdict

    def test_those_that_keep_up_are_not_behind(self, progress: Progress, clock: Clock) -> None:
        for _ in range(10):
            progress.note(Channel(is_behind=False))
        assert not judge(progress, clock, 10)

    def test_one_slow_consumer_does_not_hold_up_many_idle_ones(self, progress: Progress, clock: Clock) -> None:
        progress.note(Channel())
        assert not judge(progress, clock, 100)

    def test_a_channel_that_was_taken_from_twice_counts_once(self, progress: Progress, clock: Clock) -> None:
        channel = Channel()
        progress.note(channel)
        clock.now += WINDOW
        assert judge(progress, clock, 1)
        progress.note(channel)
        assert not judge(progress, clock, 2)

    def test_it_ends_when_they_have_caught_up(self, progress: Progress, clock: Clock) -> None:
        channel = Channel()
        progress.note(channel)
        assert judge(progress, clock, 1)
        channel.is_behind = False
        assert not judge(progress, clock, 1)


class TestStuckConsumer:
    def test_it_counts_for_one_window_and_for_two_at_most(self, progress: Progress, clock: Clock) -> None:
        progress.note(Channel())
        assert judge(progress, clock, 1)
        clock.now += WINDOW
        assert judge(progress, clock, 1), "it may just have begun with a long message"
        clock.now += WINDOW
        assert not judge(progress, clock, 1)


class TestCost:
    def test_a_verdict_stands_for_a_moment(self, progress: Progress, clock: Clock) -> None:
        channel = Channel()
        progress.note(channel)
        assert judge(progress, clock, 1)
        channel.is_behind = False
        assert progress.is_behind(1)
        clock.now += JUDGED_EVERY
        assert not progress.is_behind(1)
