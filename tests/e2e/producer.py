"""An unmodified producer in a process of its own: `group_send` of channels_redis, in AWX's way if asked for.

Prints `ready`, waits for a line on stdin, sends, prints how many. With `--on-demand` each line is a group and the
number of the one event that it gets at once.
"""

import argparse
import asyncio
import sys
import time
from typing import Any

from events import event_text, group_of
from layer_forms import FORMS, close_layer


async def send(layer: Any, producer: int, number: int, group: str | None) -> None:
    group = group or group_of(number)
    text = event_text(producer, number, group)
    await layer.group_send(group, {"type": "internal.message", "text": text, "needs_relay": True})


async def send_all(options: argparse.Namespace) -> None:
    layer = new_layer(options)
    begin = time.monotonic()
    for number in range(options.first, options.first + options.count):
        await send(layer, options.producer, number, options.group)
        if options.rate:
            due = begin + (number - options.first + 1) / options.rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
    await close_layer(layer)


async def send_on_demand(options: argparse.Namespace) -> None:
    layer = new_layer(options)
    while line := await asyncio.to_thread(sys.stdin.readline):
        group, number = line.split()
        await send(layer, options.producer, int(number), group)
    await close_layer(layer)


def send_in_fresh_loops(options: argparse.Namespace) -> None:
    """AWX's way: a new event loop, hence a new connection, for each event."""
    layer = new_layer(options)
    for number in range(options.first, options.first + options.count):
        asyncio.run(send(layer, options.producer, number, options.group))


def new_layer(options: argparse.Namespace) -> Any:
    return FORMS[options.layer].new_layer(options.redis, group_expiry=157_784_760)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--redis", required=True, action="append")
    parser.add_argument("--layer", default="core", choices=FORMS)
    parser.add_argument("--producer", type=int, required=True)
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--group", help="one group instead of all in turn")
    parser.add_argument("--rate", type=float, default=0, help="events a second; 0: as fast as it goes")
    parser.add_argument("--fresh-loops", action="store_true")
    parser.add_argument("--on-demand", action="store_true")
    options = parser.parse_args()
    print("ready", flush=True)
    if options.on_demand:
        asyncio.run(send_on_demand(options))
        return
    sys.stdin.readline()
    if options.fresh_loops:
        send_in_fresh_loops(options)
    else:
        asyncio.run(send_all(options))
    print(options.count)


if __name__ == "__main__":
    main()
