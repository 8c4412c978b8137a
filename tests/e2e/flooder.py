"""Four sockets that send one kind of frame as fast as a rate allows, and read what comes only to be rid of it.

Prints how many bytes it has sent. A socket that takes no more is opened anew.
"""

import argparse
import contextlib
import socket
import ssl
import time
from dataclasses import dataclass, field

from awxfast._rust import sign_secret

SOCKETS = 4
CHUNK = 65_536
PIECE = 16_384
EMPTY = b"\x80\0\0\0\0"
EVENT = b'{"group": "job_events-9", "message": {"type": "internal.message", "text": "x"}}'


def masked(first: int, payload: bytes) -> bytes:
    """A short frame under a mask of zeros."""
    return bytes([first, 0x80 | len(payload), 0, 0, 0, 0]) + payload


FRAMES = {
    "pings": masked(0x89, b""),
    "pongs": masked(0x8A, b""),
    "commands": masked(0x81, b"{}"),
    "errors": masked(0x81, b"x"),
    "binary": masked(0x82, b"x"),
    "fragments": masked(0x00, b""),
    "events": masked(0x81, EVENT),
}


@dataclass
class Flood:
    """One socket's: what it sends, and how far it is."""

    options: argparse.Namespace
    sock: socket.socket = field(init=False)
    at: int = 0

    def __post_init__(self) -> None:
        frame = FRAMES[self.options.kind]
        self.data = memoryview(frame * (CHUNK // len(frame)))
        self.piece = len(frame) if self.options.single else PIECE
        self.open()

    def open(self) -> None:
        """Connects, and sends what must come before the flood."""
        options = self.options
        self.sock = socket.create_connection(("127.0.0.1", options.port))
        if options.certificate:
            context = ssl.create_default_context(cafile=options.certificate)
            self.sock = context.wrap_socket(self.sock, server_hostname="127.0.0.1")
        head = (
            f"GET {options.path} HTTP/1.1\r\nHost: 127.0.0.1:{options.port}\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        )
        if options.secret:
            head += f"secret: {sign_secret(options.secret, int(time.time()))}\r\n"
        self.sock.sendall(head.encode() + b"\r\n")
        if options.kind == "fragments":
            self.sock.sendall(masked(0x01, b""))
        self.sock.setblocking(False)
        self.at = 0

    def send(self, room: int) -> int:
        """Sends at most `room` bytes, and takes what has come; how many."""
        sent = 0
        try:
            self.discard()
            while sent < min(room, CHUNK):
                at = (self.at + sent) % len(self.data)
                sent += self.sock.send(self.data[at : at + self.piece])  # TLS wants the same again after a short write
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            self.sock.close()
            self.open()
            return 0
        self.at = (self.at + sent) % len(self.data)
        return sent

    def discard(self) -> None:
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
            while self.sock.recv(CHUNK):
                pass


def flood(options: argparse.Namespace) -> int:
    floods = [Flood(options) for _ in range(SOCKETS)]
    print("ready", flush=True)
    begin, total = time.monotonic(), 0
    while (passed := time.monotonic() - begin) < options.seconds:
        room = int(options.rate * passed) - total
        sent = sum(flood.send(room // SOCKETS) for flood in floods) if room >= SOCKETS * 256 else 0
        total += sent
        if not sent:
            time.sleep(0.001)
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/websocket/")
    parser.add_argument("--kind", choices=FRAMES, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--rate", type=float, default=20_000_000, help="bytes a second, of all sockets together")
    parser.add_argument("--single", action="store_true", help="a write, and so a TLS record, for each frame")
    parser.add_argument("--certificate", help="speaks TLS, and trusts this")
    parser.add_argument("--secret", help="of the nodes")
    print(flood(parser.parse_args()))


if __name__ == "__main__":
    main()
