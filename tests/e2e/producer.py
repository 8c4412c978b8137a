"""An unmodified producer in a process of its own: `group_send` of channels_redis, in AWX's way if asked for.

With `--own` it is awxfast's, which is done in a quarter of the time, and sends to a layer of the form `core`.

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


def wait_for_next(options: argparse.Namespace, begin: float, number: int) -> float:
    """Seconds until it is the next event's turn, with `--rate`; 0 for what is of the same burst."""
    if not options.rate:
        return 0.0
    ahead = begin + (number - options.first + 1) / options.rate - time.monotonic()
    return ahead if ahead >= options.burst else 0.0


async def send_all(options: argparse.Namespace) -> None:
    layer = new_layer(options)
    begin = time.monotonic()
    for number in range(options.first, options.first + options.count):
        await send(layer, options.producer, number, options.group)
        if wait := wait_for_next(options, begin, number):
            await asyncio.sleep(wait)
    await close_layer(layer)


async def send_on_demand(options: argparse.Namespace) -> None:
    layer = new_layer(options)
    while line := await asyncio.to_thread(sys.stdin.readline):
        group, number = line.split()
        await send(layer, options.producer, int(number), group)
    await close_layer(layer)


def send_by_own(options: argparse.Namespace) -> None:
    from awxfast.producer.emit import Sender

    sender = Sender({"hosts": options.redis, "capacity": 10_000})
    begin = time.monotonic()
    for number in range(options.first, options.first + options.count):
        group = options.group or group_of(number)
        text = event_text(options.producer, number, group)
        sender.send(group, {"type": "internal.message", "text": text, "needs_relay": True})
        if wait := wait_for_next(options, begin, number):
            time.sleep(wait)
    sender.close()


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
    parser.add_argument("--burst", type=float, default=0.01, help="seconds whose events are sent together")
    parser.add_argument("--fresh-loops", action="store_true")
    parser.add_argument("--on-demand", action="store_true")
    parser.add_argument("--own", action="store_true")
    options = parser.parse_args()
    print("ready", flush=True)
    if options.on_demand:
        asyncio.run(send_on_demand(options))
        return
    sys.stdin.readline()
    if options.own:
        send_by_own(options)
    elif options.fresh_loops:
        send_in_fresh_loops(options)
    else:
        asyncio.run(send_all(options))
    print(options.count)


if __name__ == "__main__":
    main()
