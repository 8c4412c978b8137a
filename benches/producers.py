"""Makes events: `python producers.py WAY ...`, one process each.

`stock` calls `group_send` of an unmodified channels_redis; `fresh-loops`, `layer` and `emit` are its rivals
(layer_calls.py). `pipeline` writes the same bytes to the same keys (ZADD and EXPIRE an event) without the script
around them, for rates that the stock way can't reach on one core. `nchan` posts to nchan. All print `ready`, wait for a
line on stdin, and end with one line of JSON.

At a fixed rate an event carries the time at which it was *due*, not that at which it was written: a producer that is
held up makes the events that it owes late in the figures too (no coordinated omission).
"""

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import Protocol

from direct_queue import DirectQueue
from events import NANOSECONDS, text_template
from layer_calls import CALLS
from nchan_posts import NchanPosts

FLAT_OUT_BATCH = 64
BATCHES_A_SECOND = 1000
NAP_SECONDS = 0.0005


class Way(Protocol):
    """How events leave."""

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
        if time.time_ns() > begin + (options.seconds + options.patience) * NANOSECONDS:
            return


def send_flat_out(way: Way, options: argparse.Namespace, batch: int, made: Made) -> None:
    """Keeps about `options.depth` events waiting, so that the server is never idle and nothing overflows."""
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        if way.depth() >= options.depth:
            time.sleep(NAP_SECONDS)
            continue
        way.send(made.made, batch, time.time_ns())
        made.made += batch


def build_way(options: argparse.Namespace) -> Way:
    """Connected, with all that it needs imported."""
    template = text_template(options.stream, options.size)
    groups = options.group.split(",")
    if options.way == "pipeline":
        return DirectQueue(options.redis, groups, template)
    if options.way == "nchan":
        return NchanPosts(options.nchan, groups[0], template)
    return CALLS[options.way](options.redis, groups[0], template)


def run(options: argparse.Namespace) -> Made:
    """Makes the events that `options` ask for."""
    way, made, single = build_way(options), Made(), options.way in CALLS
    made.begin_ns, cpu_before = time.time_ns(), time.process_time()
    if options.rate:
        batch = 1 if single else max(1, int(options.rate / BATCHES_A_SECOND))
        send_paced(way, options, batch, made)
    else:
        send_flat_out(way, options, 1 if single else FLAT_OUT_BATCH, made)
    made.end_ns, made.cpu_s = time.time_ns(), time.process_time() - cpu_before
    made.seconds = (made.end_ns - made.begin_ns) / NANOSECONDS
    if options.way == "stock":
        way.close()  # type: ignore[attr-defined]
    return made


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", choices=["pipeline", "nchan", *CALLS])
    parser.add_argument("--redis", help="unix:///PATH; all but nchan need it")
    parser.add_argument("--nchan", help="HOST:PORT")
    parser.add_argument("--group", default="job_events-1", help="pipeline: or several, with commas, in turns")
    parser.add_argument("--stream", type=int, default=0, help="this producer's number in the events")
    parser.add_argument("--rate", type=float, default=0, help="events a second; 0: flat out")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--patience", type=float, default=2, help="seconds more to make what is late; then it gives up")
    parser.add_argument("--size", type=int, default=1024, help="bytes of text an event")
    parser.add_argument("--depth", type=int, default=2000, help="pipeline, flat out: events that wait in Redis")
    parser.add_argument("--capacity", type=int, default=0, help="pipeline: drop events when so many wait, as AWX does")
    return parser.parse_args()


def main() -> None:
    options = parse_options()
    if options.way in CALLS:
        import channels_redis.core  # noqa: F401  before the clock runs
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(asdict(run(options))))


if __name__ == "__main__":
    main()
