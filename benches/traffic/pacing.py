"""When a producer's events leave, and with which time on them.

At a fixed rate an event carries the time at which it was *due*, not that at which it was written: a producer that is
held up makes the events that it owes late in the figures too (no coordinated omission).
"""

import argparse
import time
from dataclasses import dataclass
from typing import Protocol

from traffic.event_texts import NANOSECONDS

NAP_SECONDS = 0.0005


class Way(Protocol):
    """How events leave the producer."""

    def send(self, first: int, count: int, made_ns: int) -> None: ...
    def depth(self) -> int: ...


@dataclass
class Made:
    """What a producer did. Times in nanoseconds; `dropped` found the queue at its capacity."""

    made: int = 0
    dropped: int = 0
    late_ns: int = 0
    """The most that an event left after it was due."""
    begin_ns: int = 0
    end_ns: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    is_enough: bool = False
    """Whether it was told to end before its time."""


def send_paced(way: Way, options: argparse.Namespace, batch: int, made: Made) -> None:
    """Writes batches when they are due, late ones at once; `batch` events share the time of the last of them."""
    begin, events = time.time_ns(), int(options.rate * options.seconds)
    for first in range(0, events - batch + 1, batch):
        due = begin + int((first + batch - 1) / options.rate * NANOSECONDS)
        if (early := due - time.time_ns()) > 0:
            time.sleep(early / NANOSECONDS)
        made.made += batch
        if options.capacity and way.depth() >= options.capacity:
            made.dropped += batch
            continue
        made.late_ns = max(made.late_ns, time.time_ns() - due)
        way.send(first, batch, due)
        if made.is_enough or time.time_ns() > begin + (options.seconds + options.patience) * NANOSECONDS:
            return


def send_flat_out(way: Way, options: argparse.Namespace, batch: int, made: Made) -> None:
    """Keeps about `options.depth` events waiting, so that the server is never idle and nothing overflows.

    Ends with `options.events`, where that is not 0.
    """
    end = time.monotonic() + options.seconds
    while time.monotonic() < end and not made.is_enough and (made.made < options.events or not options.events):
        if way.depth() >= options.depth:
            time.sleep(NAP_SECONDS)
            continue
        count = min(batch, options.events - made.made) if options.events else batch
        way.send(made.made, count, time.time_ns())
        made.made += count
