"""One piece of work timed beside its yardstick, in turns, so that a machine's moods meet both."""

import itertools
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

Work = Callable[[], object]

ROUNDS = 40
"""Each of work and yardstick. The shortest of each counts: what else ran on the machine only ever adds."""
ROUND_SECONDS = 0.001
"""How long a round takes at least: short enough to fit between two interruptions, long enough for the clock."""


class Benchmark(Protocol):
    """The part of pytest-benchmark's fixture that is used."""

    extra_info: dict[str, Any]
    stats: Any

    def pedantic(self, target: Work, *, setup: Work, rounds: int, warmup_rounds: int) -> object:
        """Times `rounds` calls of `target`, each after an untimed one of `setup`."""


class Compare:
    """A fixture: `compare(work, yardstick)` leaves the ratio of their times in the benchmark's `extra_info`."""

    def __init__(self, benchmark: Benchmark, clock: Callable[[], float] = time.perf_counter) -> None:
        self._benchmark = benchmark
        self._clock = clock

    def __call__(self, work: Work, yardstick: Work, rounds: int = ROUNDS) -> None:
        """Both do the same amount of a kind of work that ages alike from machine to machine."""
        work_calls, yardstick_calls = self._calls_a_round(work), self._calls_a_round(yardstick)
        yardstick_times: list[float] = []

        def time_yardstick() -> None:
            yardstick_times.append(self._seconds(yardstick, yardstick_calls))

        def run_work() -> None:
            for _ in itertools.repeat(None, work_calls):
                work()

        self._benchmark.pedantic(run_work, setup=time_yardstick, rounds=rounds, warmup_rounds=1)
        times: Sequence[float] = self._benchmark.stats.stats.data
        ratio = (min(times) / work_calls) / (min(yardstick_times) / yardstick_calls)
        self._benchmark.extra_info.update(ratio=ratio, calls_a_round=work_calls)

    def count_calls(self, work: Work, events: int) -> None:
        """Leaves in `extra_info` how many functions, Python's and C's, are called for each of so many events."""
        calls = 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal calls
            calls += event in ("call", "c_call")

        sys.setprofile(count)
        try:
            work()
        finally:
            sys.setprofile(None)
        self._benchmark.extra_info["calls"] = calls / events

    def _calls_a_round(self, work: Work) -> int:
        calls = 1
        # The shortest of several, since an interruption would make it look as if few calls were enough.
        while (seconds := min(self._seconds(work, calls) for _ in range(3))) < ROUND_SECONDS:
            calls = max(calls + 1, round(1.2 * calls * min(10, ROUND_SECONDS / max(seconds, 1e-9))))
        return calls

    def _seconds(self, work: Work, calls: int) -> float:
        start = self._clock()
        for _ in itertools.repeat(None, calls):
            work()
        return self._clock() - start
