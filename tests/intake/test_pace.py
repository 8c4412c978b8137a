"""When the next batch is asked for: times are given, nothing waits."""

from awxfast.intake.pace import PAUSE, Pace


def pauses_of(pace: Pace, rate: float, a_pop: int, seconds: float, full: bool = False) -> list[float]:
    """What the pace says at each pop of a steady stream."""
    step = a_pop / rate
    return [pace.pause_after(a_pop, full, number * step) for number in range(int(seconds / step))]


class TestPace:
    def test_quiet_stream_is_never_delayed(self) -> None:
        assert not any(pauses_of(Pace(), rate=100, a_pop=1, seconds=5))

    def test_thousand_a_second_is_not_yet_hot(self) -> None:
        assert not any(pauses_of(Pace(), rate=1_000, a_pop=1, seconds=5))

    def test_hot_stream_pauses_once_its_rate_is_known(self) -> None:
        pauses = pauses_of(Pace(), rate=15_000, a_pop=1, seconds=1)
        assert pauses[0] == 0.0
        assert set(pauses[1_000:]) == {PAUSE}

    def test_stays_hot_when_batches_come_a_millisecond_apart(self) -> None:
        assert set(pauses_of(Pace(), rate=15_000, a_pop=18, seconds=1)[100:]) == {PAUSE}

    def test_full_batch_is_followed_at_once(self) -> None:
        assert not any(pauses_of(Pace(), rate=200_000, a_pop=256, seconds=1, full=True))

    def test_single_burst_after_silence_is_not_delayed(self) -> None:
        pace = Pace()
        pace.pause_after(1, False, 0.0)
        assert pace.pause_after(200, False, 5.0) == 0.0

    def test_cools_down_with_the_stream(self) -> None:
        pace = Pace()
        pauses_of(pace, rate=15_000, a_pop=1, seconds=1)
        assert pace.pause_after(1, False, 2.0) == 0.0
        assert pace.pause_after(1, False, 2.001) == 0.0


class TestLongerPause:
    """Whoever takes the batches would have them less often."""

    LONG = 0.005

    def test_it_is_taken_as_soon_as_it_brings_events_together(self) -> None:
        pace = Pace(lambda: self.LONG)
        assert set(pauses_of(pace, rate=1_000, a_pop=5, seconds=1)[20:]) == {self.LONG}

    def test_stream_that_it_would_only_delay_is_not_delayed(self) -> None:
        assert not any(pauses_of(Pace(lambda: self.LONG), rate=300, a_pop=1, seconds=5))

    def test_full_batch_is_followed_at_once(self) -> None:
        assert not any(pauses_of(Pace(lambda: self.LONG), rate=50_000, a_pop=256, seconds=1, full=True))

    def test_wish_for_less_than_the_usual_pause_is_none(self) -> None:
        assert set(pauses_of(Pace(lambda: 0.0), rate=15_000, a_pop=18, seconds=1)[100:]) == {PAUSE}
