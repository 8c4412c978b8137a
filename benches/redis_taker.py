"""A member of a group that takes its events out of Redis and throws them away, many at a time, next to no cost.

Prints `ready`; `expect N` on stdin ends it once N have come or nothing comes any more, with one line of JSON.
"""

import argparse
import json
import sys
import time

from direct_queue import PREFIX, RedisPipe
from orders import Orders

QUEUE = f"{PREFIX}specific.benchtaker!".encode()
CHANNEL = b"specific.benchtaker!member"
PAUSE = 0.005
QUIET = 1.0


def take(redis: RedisPipe) -> int:
    """Empties the queue; how many there were."""
    commands = [(b"MULTI",), (b"ZCARD", QUEUE), (b"UNLINK", QUEUE), (b"EXEC",)]
    count: int = redis.call(commands)[-1][0]
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--redis", required=True, help="unix:///PATH")
    parser.add_argument("--group", default="job_events-1")
    options = parser.parse_args()
    redis, orders = RedisPipe(options.redis), Orders(sys.stdin.fileno())
    redis.call([(b"ZADD", f"{PREFIX}:group:{options.group}".encode(), b"%d" % time.time(), CHANNEL)])
    print("ready", flush=True)
    taken, expected, first, last, cpu = 0, None, 0, time.time_ns(), time.process_time()
    while expected is None or taken < expected:
        time.sleep(PAUSE)
        count, now = take(redis), time.time_ns()
        taken += count
        if count:
            first, last = first or now, now
        elif expected is not None and now - last > QUIET * 1e9:
            break
        if expected is None and (expected := orders.number("expect")) is not None:
            last = now
    seen = {"frames": taken, "first_frame_ns": first, "last_frame_ns": last, "cpu_s": time.process_time() - cpu}
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    main()
