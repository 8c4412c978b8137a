"""Makes events: `python -m traffic.producers WAY ...`, one process each.

`stock` calls `group_send` of an unmodified channels_redis; `fresh-loops`, `layer` and `emit` are its rivals
(layer_calls.py). `pipeline` writes the same bytes to the same keys (ZADD and EXPIRE an event) without the script
around them, for rates that the stock way can't reach on one core; `encrypted` those of an encrypted layer, `hosts`
those of one with several Redis, `lists` those of channels_redis 2, `pubsub` those of its pub/sub layer. `nchan` posts
to nchan. All print `ready`, wait for a line on stdin, and end with one line of JSON.
"""

import argparse
import json
import signal
import sys
import time
from dataclasses import asdict

from traffic.direct_queue import DirectQueue
from traffic.encrypted_queue import EncryptedQueue
from traffic.event_texts import NANOSECONDS, text_template
from traffic.host_queues import HostQueues
from traffic.layer_calls import CALLS
from traffic.list_queue import ListQueue
from traffic.nchan_posts import NchanPosts
from traffic.pacing import Made, Way, send_flat_out, send_paced
from traffic.published import Published

FLAT_OUT_BATCH = 64
BATCHES_A_SECOND = 1000


def build_way(options: argparse.Namespace) -> Way:
    """Connected, with all that it needs imported."""
    template = text_template(options.stream, options.size)
    groups = options.group.split(",")
    if options.way == "pipeline":
        return DirectQueue(options.redis, groups, template)
    if options.way == "encrypted":
        return EncryptedQueue(options.redis, groups, template)
    if options.way == "hosts":
        return HostQueues(options.redis, groups, template)
    if options.way == "lists":
        return ListQueue(options.redis, groups, template)
    if options.way == "pubsub":
        return Published(options.redis, groups, template)
    if options.way == "nchan":
        return NchanPosts(options.nchan, groups[0], template)
    return CALLS[options.way](options.redis, groups[0], template)


def run(options: argparse.Namespace, made: Made) -> Made:
    """Makes the events that `options` ask for."""
    way, single = build_way(options), options.way in CALLS
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
    parser.add_argument("way", choices=["pipeline", "encrypted", "hosts", "lists", "pubsub", "nchan", *CALLS])
    parser.add_argument("--redis", help="unix:///PATH; all but nchan need it")
    parser.add_argument("--nchan", help="HOST:PORT")
    parser.add_argument("--group", default="job_events-1", help="pipeline: or several, with commas, in turns")
    parser.add_argument("--stream", type=int, default=0, help="this producer's number in the events")
    parser.add_argument("--rate", type=float, default=0, help="events a second; 0: flat out")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--events", type=int, default=0, help="flat out: end with so many (0: with the time)")
    parser.add_argument("--patience", type=float, default=2, help="seconds more to make what is late; then it gives up")
    parser.add_argument("--size", type=int, default=1024, help="bytes of text an event")
    parser.add_argument("--depth", type=int, default=2000, help="pipeline, flat out: events that wait in Redis")
    parser.add_argument("--capacity", type=int, default=0, help="pipeline: drop events when so many wait, as AWX does")
    return parser.parse_args()


def main() -> None:
    options = parse_options()
    if options.way in CALLS:
        import channels_redis.core  # noqa: F401  before the clock runs
    made = Made()
    signal.signal(signal.SIGTERM, lambda *_: setattr(made, "is_enough", True))
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(asdict(run(options, made))))


if __name__ == "__main__":
    main()
