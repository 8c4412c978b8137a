"""A member of a group that takes its events out of Redis and throws them away, many at a time, next to no cost.

Prints `ready`; `expect N` on stdin ends it once N have come or nothing comes any more, with one line of JSON.
"""

import argparse
import json
import sys
import time

from traffic.direct_queue import PREFIX, RedisPipe
from traffic.orders import Orders, follow_arrivals

QUEUE = f"{PREFIX}specific.benchtaker!".encode()
CHANNEL = b"specific.benchtaker!member"
PAUSE = 0.005


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
    taken = 0

    def look() -> tuple[bool, int]:
        nonlocal taken
        time.sleep(PAUSE)
        count = take(redis)
        taken += count
        return count > 0, taken

    print(json.dumps(follow_arrivals(look, orders)), flush=True)


if __name__ == "__main__":
    main()
