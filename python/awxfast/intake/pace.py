"""How soon to ask for the next batch. A hot stream, asked at once, comes one event at a time and burns a core."""

import math
from collections.abc import Callable

PAUSE = 0.001
"""Seconds. At 15,000 events/s it costs 0.7 ms of latency and saves four fifths of the CPU time."""

CLOSE = 2.0
"""Pauses between two pops that make a stream a candidate for one."""

HOT = 2.0
"""Events that come within a pause; with fewer it would cost latency and save nothing."""

WINDOW = 0.05
"""Seconds over which the rate is estimated."""


class Pace:
    """Decides after each pop. A quiet stream is never delayed, a full batch is followed at once."""

    def __init__(self, wish: Callable[[], float] = lambda: PAUSE) -> None:
        """`wish` gives the pause, in seconds, that whoever takes the batches would have; never less than `PAUSE`."""
        self._wish = wish
        self._last = -math.inf
        self._weight = 0.0

    def pause_after(self, count: int, full: bool, now: float) -> float:
        """Seconds to wait before the next pop, after one that gave `count` events at `now` (seconds, monotonic)."""
        since = now - self._last
        self._last = now
        self._weight = self._weight * math.exp(-since / WINDOW) + count
        pause = max(PAUSE, self._wish())
        hot = since <= CLOSE * pause and self._weight / WINDOW * pause > HOT
        return pause if hot and not full else 0.0
