"""Far ends of links that take all and look at nothing: `python -m traffic.node_sink serve|dial ...`.

They throw away in the kernel what comes (MSG_TRUNC, tcp(7)), and look for it by the clock: a real peer's CPU time and
wake-ups are another machine's business, so here they must not slow down the sender or be charged to it.
All frames of a run have one length, so that bytes tell their number.
"""

import argparse
import json
import socket
import sys
import time
from collections.abc import Sequence

from awxfast._rust import encode_text_frame

from traffic.node_links import TEXT, accept_link, dial_link, frame_length, listen
from traffic.orders import Orders, follow_arrivals

PAUSE = 0.001
"""Seconds between two looks."""
BUSY_BYTES = 131_072
"""More than that from one link at one look, and the next look follows at once."""
LOOK = 1_048_576
START = 10


class Sink:
    """What one link brings: its bytes, counted."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        link.setblocking(False)
        self.frame = 0
        self.received = 0

    @property
    def frames(self) -> int:
        return self.received // self.frame if self.frame else 0

    def take(self, buffer: bytearray) -> int:
        """Throws away what is there; how many bytes."""
        try:
            size = self._link.recv_into(buffer, LOOK, socket.MSG_TRUNC) if self.frame else self._take_start()
        except BlockingIOError:
            return 0
        self.received += size
        return size

    def _take_start(self) -> int:
        """The first frame's head, once it is there; control frames before it do not count."""
        start = self._link.recv(START, socket.MSG_PEEK)
        if len(start) < START:
            return 0
        self._link.recv(START)
        if start[0] != TEXT:
            raise SystemExit(f"a frame that starts with {start[:2].hex()}")
        self.frame = frame_length(start)
        return START


def drain(sinks: Sequence[Sink], orders: Orders) -> dict[str, object]:
    """Takes all that comes; what was seen."""
    buffer = bytearray(LOOK)

    def look() -> tuple[bool, int]:
        sizes = [sink.take(buffer) for sink in sinks]
        if max(sizes) < BUSY_BYTES:
            time.sleep(PAUSE)
        return any(sizes), sum(sink.frames for sink in sinks)

    seen = follow_arrivals(look, orders)
    return {**seen, "fewest": min(sink.frames for sink in sinks), "frame": max(sink.frame for sink in sinks)}


def notice(group: str, number: int) -> bytes:
    """What a server of the relay era says when a browser of its own subscribes."""
    words = {"type": "consumer.subscribe", "groups": [group], "origin_channel": f"specific.sink!{number}"}
    return encode_text_frame(json.dumps(words).encode())


def open_links(options: argparse.Namespace) -> list[socket.socket]:
    if options.way == "dial":
        return [dial_link(options.address, options.era, options.secret) for _ in range(options.links)]
    with listen() as listener:
        print(listener.getsockname()[1], flush=True)
        links = [accept_link(listener) for _ in range(options.links)]
    if options.era == "relay":
        for number, link in enumerate(links):
            link.sendall(notice(options.group, number))
    return links


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", choices=["serve", "dial"])
    parser.add_argument("--era", choices=["broadcast", "relay"], required=True)
    parser.add_argument("--links", type=int, default=1)
    parser.add_argument("--address", help="dial: HOST:PORT of the node")
    parser.add_argument("--secret", default="", help="dial: the nodes'")
    parser.add_argument("--group", default="job_events-1", help="serve, relay era: what browsers here want")
    options = parser.parse_args()
    links = open_links(options)
    print("ready", flush=True)
    print(json.dumps(drain([Sink(link) for link in links], Orders(sys.stdin.fileno()))), flush=True)


if __name__ == "__main__":
    main()
