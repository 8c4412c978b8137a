"""The fan-out without Redis: `python fanout_alone.py --clients N ...`.

Listens, prints its address, takes so many websockets, waits for a line on stdin, and hands the fan-out ready batches as
fast as its clients read, at most so many frames a client waiting. Ends with one line of JSON.
"""

import argparse
import json
import socket
import sys
import time

import msgpack
from awxfast._rust import Fanout
from events import NANOSECONDS, event_text, text_template
from workloads import GROUP

CHANNEL = f"g.{GROUP}"
RANDOM_PREFIX = b"\0" * 12
MOST_WAITING = 256
NAP_SECONDS = 0.001
DRAIN_SECONDS = 10.0
ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"  # of the one key that wsload uses
)


def accept_clients(listener: socket.socket, fanout: Fanout, count: int) -> list[socket.socket]:
    """Answers the handshakes and subscribes; returns the sockets, which must stay open."""
    sockets = []
    for _ in range(count):
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.recv(4096)
        connection.sendall(ANSWER)
        connection.setblocking(False)
        fanout.subscribe(fanout.attach(connection.fileno()), [GROUP], [])
        sockets.append(connection)
    return sockets


class Batches:
    """What pops of a queue would give."""

    def __init__(self, size: int, events: int) -> None:
        template = text_template(0, size)
        sample = event_text(template, 0, 0)
        message = {"type": "internal.message", "text": sample.decode(), "__asgi_channel__": [f"p!{CHANNEL}"]}
        before, _, after = msgpack.packb(message).partition(sample)
        self._template = (RANDOM_PREFIX + before).replace(b"%", b"%%") + template + after.replace(b"%", b"%%")
        self._events, self.made = events, 0

    def next(self) -> list[list[bytes]]:
        now = time.time_ns()
        made, score = divmod(now, NANOSECONDS), b"%.6f" % (now / NANOSECONDS)
        first, self.made = self.made, self.made + self._events
        return [[self._template % (number, *made), score] for number in range(first, self.made)]


def send(fanout: Fanout, batches: Batches, clients: int, seconds: float) -> None:
    """Until the time is over; then waits for what is queued. The books are read as seldom as can be: they cost CPU."""
    end, written = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        if batches.made * clients - written <= MOST_WAITING * clients:
            fanout.publish_batch(batches.next())
            continue
        written = count_written(fanout)
        if batches.made * clients - written > MOST_WAITING * clients:
            time.sleep(NAP_SECONDS)
    while count_written(fanout) < batches.made * clients and time.monotonic() < end + DRAIN_SECONDS:
        time.sleep(NAP_SECONDS)


def count_written(fanout: Fanout) -> int:
    """Frames that the kernel has taken."""
    written: int = fanout.ledger()["frames"]["written"]
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--batch", type=int, default=32, help="events a call")
    parser.add_argument("--seconds", type=float, default=2)
    options = parser.parse_args()
    fanout, batches = Fanout(threads=1), Batches(options.size, options.batch)
    fanout.add_channel(CHANNEL, GROUP)
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        print(f"127.0.0.1:{listener.getsockname()[1]}", flush=True)
        sockets = accept_clients(listener, fanout, options.clients)
    sys.stdin.readline()
    before = time.process_time()
    send(fanout, batches, options.clients, options.seconds)
    print(json.dumps({"events": batches.made, "cpu_s": time.process_time() - before}), flush=True)
    sys.stdin.readline()  # the clients have what they got before the sockets close
    fanout.stop()
    for connection in sockets:
        connection.close()


if __name__ == "__main__":
    main()
