"""The clock of the benchmark's producers."""

import argparse
import time

from traffic.pacing import Made, send_flat_out, send_paced

MILLISECOND = 1_000_000


class SlowWay:
    """Takes its time, and finds so many events waiting."""

    def __init__(self, seconds: float = 0.0, waiting: int = 0) -> None:
        self._seconds, self._waiting = seconds, waiting
        self.stamps: list[int] = []

    def send(self, first: int, count: int, made_ns: int) -> None:
        time.sleep(self._seconds)
        self.stamps += [made_ns] * count

    def depth(self) -> int:
        return self._waiting


def options(**words: float) -> argparse.Namespace:
    return argparse.Namespace(
        **{"rate": 1000.0, "seconds": 0.02, "patience": 60.0, "capacity": 0, "depth": 8, "events": 0, **words}
    )


class TestPaced:
    def test_events_of_a_slow_producer_carry_the_time_they_were_due(self) -> None:
        way, made = SlowWay(seconds=0.003), Made()
        send_paced(way, options(), 1, made)
        steps = {later - earlier for earlier, later in zip(way.stamps, way.stamps[1:], strict=False)}
        assert made.made == len(way.stamps) == 20
        assert steps == {MILLISECOND}
        assert made.late_ns >= 30 * MILLISECOND

    def test_batch_is_due_with_its_last_event(self) -> None:
        way = SlowWay()
        before = time.time_ns()
        send_paced(way, options(), 4, Made())
        assert len(set(way.stamps)) == 5
        assert way.stamps[0] - before >= 3 * MILLISECOND

    def test_full_queue_drops_and_counts(self) -> None:
        way, made = SlowWay(waiting=10_000), Made()
        send_paced(way, options(capacity=10_000), 1, made)
        assert (made.made, made.dropped, way.stamps) == (20, 20, [])

    def test_hopelessly_late_producer_gives_up(self) -> None:
        way, made = SlowWay(seconds=0.02), Made()
        send_paced(way, options(patience=0), 1, made)
        assert made.made < 20


class TestFlatOut:
    def test_nothing_is_made_while_enough_waits(self) -> None:
        way, made = SlowWay(waiting=8), Made()
        send_flat_out(way, options(), 64, made)
        assert (made.made, way.stamps) == (0, [])

    def test_so_many_events_are_made_whatever_the_batch(self) -> None:
        way, made = SlowWay(), Made()
        send_flat_out(way, options(seconds=60, events=100), 64, made)
        assert made.made == len(way.stamps) == 100
