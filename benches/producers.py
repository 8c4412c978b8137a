"""Makes events: `python producers.py stock|pipeline ...`, one process each.

`stock` calls `group_send` of an unmodified channels_redis, as AWX does. `pipeline` writes the same bytes to the same
keys (ZADD and EXPIRE an event) without the script around them, paced by the clock, for rates that the stock way can't
reach on one core. Both print `ready`, wait for a line on stdin, and end with one line of JSON.
"""

import argparse
import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING

from direct_queue import DirectQueue
from events import NANOSECONDS, event_text, text_template

if TYPE_CHECKING:
    from channels_redis.core import RedisChannelLayer

AWX_CAPACITY = 10_000
AWX_GROUP_EXPIRY = 157_784_760
FLAT_OUT_BATCH = 64
MILLISECONDS = 1000


async def send_stock(options: argparse.Namespace, template: bytes) -> int:
    """Calls `group_send` at the asked rate, late events at once; returns how many."""
    layer = stock_layer(options.redis)
    begin, made = time.monotonic(), 0
    while (due := begin + made / options.rate) < begin + options.seconds:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        await layer.group_send(options.group, stock_message(template, made))
        made += 1
    await layer.close_pools()
    return made


def send_stock_in_fresh_loops(options: argparse.Namespace, template: bytes) -> int:
    """The same with a new event loop, hence a new connection, for each event: AWX's way."""
    layer = stock_layer(options.redis)
    begin, made = time.monotonic(), 0
    while (due := begin + made / options.rate) < begin + options.seconds:
        time.sleep(max(0.0, due - time.monotonic()))
        asyncio.run(layer.group_send(options.group, stock_message(template, made)))
        made += 1
    return made


def stock_layer(url: str) -> "RedisChannelLayer":
    """The channel layer as AWX configures it."""
    from channels_redis.core import RedisChannelLayer

    return RedisChannelLayer(hosts=[url], capacity=AWX_CAPACITY, group_expiry=AWX_GROUP_EXPIRY)


def stock_message(template: bytes, number: int) -> dict[str, object]:
    """The message of AWX's relay era."""
    text = event_text(template, number, time.time_ns()).decode("ascii")
    return {"type": "internal.message", "text": text, "needs_relay": True}


def send_paced(options: argparse.Namespace, template: bytes) -> int:
    """Writes batches of at most one millisecond's events (one event below 1,000 a second) when they are due."""
    queue = DirectQueue(options.redis, options.group, template)
    batch = max(1, int(options.rate / MILLISECONDS))
    begin, made = time.monotonic(), 0
    while (due := begin + (made + batch - 1) / options.rate) < begin + options.seconds:
        time.sleep(max(0.0, due - time.monotonic()))
        queue.send(made, batch)
        made += batch
    return made


def send_flat_out(options: argparse.Namespace, template: bytes) -> int:
    """Keeps about `options.depth` events waiting, so that the server is never idle and nothing overflows."""
    queue = DirectQueue(options.redis, options.group, template)
    end, made = time.monotonic() + options.seconds, 0
    while time.monotonic() < end:
        if queue.depth() >= options.depth:
            time.sleep(0.5 / MILLISECONDS)
            continue
        queue.send(made, FLAT_OUT_BATCH)
        made += FLAT_OUT_BATCH
    return made


def run(options: argparse.Namespace) -> int:
    """Makes the events that `options` ask for; returns how many."""
    template = text_template(options.stream, options.size)
    if options.way == "pipeline":
        return send_paced(options, template) if options.rate else send_flat_out(options, template)
    if options.fresh_loop:
        return send_stock_in_fresh_loops(options, template)
    return asyncio.run(send_stock(options, template))


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", choices=["stock", "pipeline"])
    parser.add_argument("--redis", required=True, help="unix:///PATH")
    parser.add_argument("--group", default="job_events-1")
    parser.add_argument("--stream", type=int, default=0, help="this producer's number in the events")
    parser.add_argument("--rate", type=float, default=0, help="events a second; 0 (pipeline only): flat out")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--size", type=int, default=1024, help="bytes of text an event")
    parser.add_argument("--depth", type=int, default=2000, help="flat out: events that wait in Redis")
    parser.add_argument("--fresh-loop", action="store_true", help="stock: a new event loop an event")
    options = parser.parse_args()
    if options.way == "stock" and options.rate <= 0:
        parser.error("stock needs a --rate")
    return options


def main() -> None:
    options = parse_options()
    if options.way == "stock":
        stock_layer(options.redis)  # imports what is needed before the clock runs
    print("ready", flush=True)
    sys.stdin.readline()
    begin, cpu_before = time.time_ns(), time.process_time()
    made = run(options)
    seconds = (time.time_ns() - begin) / NANOSECONDS
    print(json.dumps({"made": made, "seconds": seconds, "cpu_s": time.process_time() - cpu_before}))


if __name__ == "__main__":
    main()
