"""What the kernel alone takes for events to many links: `python -m traffic.node_raw ADDRESS`, of a `traffic.node_sink`.

Prepared frames, one write a link and batch, as the dialler's in a stream that is flat out. Prints one line of JSON.
"""

import argparse
import contextlib
import json
import socket
import time
from collections.abc import Sequence

from traffic.event_texts import event_text
from traffic.node_links import dial_link
from traffic.node_source import frame_template

BATCH = 64
PAUSE = 0.002
"""Seconds between two batches, so that the sinks keep up and no write is cut short."""


def send(links: Sequence[socket.socket], batch: bytes, seconds: float) -> tuple[int, float]:
    """For so long; the bytes that were taken, and the CPU time."""
    end, sent, begin = time.monotonic() + seconds, 0, time.process_time()
    while time.monotonic() < end:
        for link in links:
            with contextlib.suppress(BlockingIOError):
                sent += link.send(batch)
        time.sleep(PAUSE)
    return sent, time.process_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("--links", type=int, default=24)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--seconds", type=float, default=2)
    options = parser.parse_args()
    links = [dial_link(options.address, "relay", "") for _ in range(options.links)]
    for link in links:
        link.setblocking(False)
    frame = event_text(frame_template("relay", "job_events-1", options.size), 0, 0)
    sent, cpu = send(links, frame * BATCH, options.seconds)
    frames = sent / len(frame)
    print(json.dumps({"frames": int(frames), "cpu_s": cpu, "cpu_us_an_event": 1e6 * cpu * options.links / frames}))


if __name__ == "__main__":
    main()
