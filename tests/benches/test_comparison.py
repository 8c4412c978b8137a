"""Work and yardstick in turns, with a clock that only they move."""

from typing import Any

import pytest
from guard.comparison import ROUND_SECONDS, Compare, Work


class Clock:
    """Moves when somebody works."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def work(self, *seconds: float) -> Work:
        """Takes so long at each of its calls, then as at the last for ever."""
        left = list(seconds)

        def move() -> None:
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return move


class PlainBenchmark:
    """Times as pytest-benchmark's fixture does. Stands for the `stats` within its `stats`, too."""

    def __init__(self, clock: Clock) -> None:
        self.extra_info: dict[str, Any] = {}
        self.stats = self
        self.data: list[float] = []
        self._clock = clock

    def pedantic(self, target: Work, *, setup: Work, rounds: int, warmup_rounds: int) -> None:
        for _ in range(rounds):
            setup()
            start = self._clock()
            target()
            self.data.append(self._clock() - start)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def benchmark_of_clock(clock: Clock) -> PlainBenchmark:
    return PlainBenchmark(clock)


class TestRatio:
    def test_ratio_is_of_one_call_each(self, clock: Clock, benchmark_of_clock: PlainBenchmark) -> None:
        Compare(benchmark_of_clock, clock)(clock.work(3e-6), clock.work(2e-4), rounds=3)
        assert benchmark_of_clock.extra_info["ratio"] == pytest.approx(3e-6 / 2e-4)

    def test_shortest_rounds_count(self, clock: Clock, benchmark_of_clock: PlainBenchmark) -> None:
        work, yardstick = clock.work(*[1.0] * 6, 0.004, 9.0), clock.work(*[1.0] * 5, 0.002, 9.0)
        Compare(benchmark_of_clock, clock)(work, yardstick, rounds=6)
        assert benchmark_of_clock.extra_info["ratio"] == pytest.approx(2.0)


class TestCalls:
    def test_calls_of_python_and_c_are_counted_for_each_event(self, benchmark_of_clock: PlainBenchmark) -> None:
        def call_each() -> None:
            for word in ("one", "two", "three", "four"):
                len(word)

        Compare(benchmark_of_clock).count_calls(call_each, events=4)
        assert benchmark_of_clock.extra_info["calls"] == pytest.approx(1.0, abs=0.6), "and those around them"


class TestRounds:
    def test_round_is_long_enough_for_the_clock(self, clock: Clock, benchmark_of_clock: PlainBenchmark) -> None:
        Compare(benchmark_of_clock, clock)(clock.work(1e-7), clock.work(1e-3), rounds=3)
        assert min(benchmark_of_clock.data) >= ROUND_SECONDS
        assert max(benchmark_of_clock.data) < 10 * ROUND_SECONDS

    def test_one_interrupted_call_does_not_look_like_long_work(
        self, clock: Clock, benchmark_of_clock: PlainBenchmark
    ) -> None:
        Compare(benchmark_of_clock, clock)(clock.work(0.5, 1e-6), clock.work(1e-3), rounds=3)
        assert min(benchmark_of_clock.data) >= ROUND_SECONDS
