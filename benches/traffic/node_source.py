"""A far end that sends events as fast as they are taken, or at a rate: `python -m traffic.node_source serve|dial ...`.

`serve` is a server of the broadcast era that a dialler comes to, `dial` a dialler of the relay era. Prints the port
(`serve`), then `ready` once there is a link, waits for a line on stdin, and ends with one line of JSON.
"""

import argparse
import json
import socket
import sys
import time

from traffic.event_texts import NANOSECONDS, event_text, text_template
from traffic.node_links import accept_link, dial_link, frame_head, listen

BATCH = 32
"""Frames a write, flat out."""
KEPT = 20.0
"""Seconds that the link stays open after the last event, for what is under way; the benchmark ends it sooner."""


def frame_template(era: str, group: str, size: int) -> bytes:
    """A `%` template, as `event_texts.text_template`, of whole frames around texts of `size` bytes."""
    text = text_template(0, size).decode()
    message = {"type": "internal.message", "text": text} if era == "relay" else text
    payload = json.dumps({"group": group, "message": message}).encode()
    head = frame_head(len(event_text(payload, 0, 0)), masked=era == "relay")
    return head.replace(b"%", b"%%") + payload


def send(link: socket.socket, template: bytes, rate: float, seconds: float) -> int:
    """Numbered events until the time is over; how many. What the node does not read makes us wait."""
    batch = max(1, int(rate / 1000)) if rate else BATCH
    begin, made = time.monotonic(), 0
    while (now := time.monotonic()) < begin + seconds:
        if rate and (due := begin + (made + batch - 1) / rate) > now:
            time.sleep(due - now)
        stamp = time.time_ns()
        link.sendall(b"".join(event_text(template, made + index, stamp) for index in range(batch)))
        made += batch
    return made


def open_link(options: argparse.Namespace) -> socket.socket:
    if options.way == "dial":
        return dial_link(options.address, "relay", options.secret)
    with listen() as listener:
        print(listener.getsockname()[1], flush=True)
        return accept_link(listener)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", choices=["serve", "dial"])
    parser.add_argument("--address", help="dial: HOST:PORT of the node")
    parser.add_argument("--secret", default="", help="dial: the nodes'")
    parser.add_argument("--group", default="job_events-1")
    parser.add_argument("--rate", type=float, default=0, help="events a second; 0: flat out")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--size", type=int, default=4096, help="bytes of text an event")
    options = parser.parse_args()
    link = open_link(options)
    link.settimeout(KEPT)
    template = frame_template("relay" if options.way == "dial" else "broadcast", options.group, options.size)
    print("ready", flush=True)
    sys.stdin.readline()
    begin, cpu = time.time_ns(), time.process_time()
    made = send(link, template, options.rate, options.seconds)
    seconds = (time.time_ns() - begin) / NANOSECONDS
    print(json.dumps({"made": made, "seconds": seconds, "cpu_s": time.process_time() - cpu}), flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main()
