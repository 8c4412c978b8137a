"""Websockets between nodes as the benchmark's own programs open them: blocking, either end, next to nothing inside."""

import base64
import os
import socket
import time

from awxfast._rust import sign_secret
from awxfast.wire.handshake import accept_key

LOOPBACK = "127.0.0.1"
EVERYWHERE = ""
"""All of 127/8 leads here, so that one port can be many peers."""
TIMEOUT = 20.0
LONGEST_HEAD = 16_384

TEXT = 0x81
MASKED = 0x80


def listen() -> socket.socket:
    """A listening socket on a port of its own."""
    listener = socket.create_server((EVERYWHERE, 0), backlog=128)
    listener.settimeout(TIMEOUT)
    return listener


def accept_link(listener: socket.socket) -> socket.socket:
    """Takes the next dialler, whoever it is."""
    link, _ = listener.accept()
    link.settimeout(TIMEOUT)
    key = header_of(read_head(link), b"sec-websocket-key")
    answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    link.sendall(answer + b"Sec-WebSocket-Accept: " + accept_key(key) + b"\r\n\r\n")
    return link


def dial_link(address: str, era: str, secret: str) -> socket.socket:
    """A link to a node at HOST:PORT, once it has let us in."""
    host, _, port = address.rpartition(":")
    link = socket.create_connection((host, int(port)), TIMEOUT)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = base64.b64encode(os.urandom(16)).decode()
    head = f"GET /websocket/{era}/ HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    signed = sign_secret(secret, int(time.time()))
    head += f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nsecret: {signed}\r\n\r\n"
    link.sendall(head.encode())
    status, _, _ = read_head(link).partition(b"\r\n")
    if b" 101 " not in status:
        raise SystemExit(f"{address}: {status.decode(errors='replace')}")
    return link


def read_head(link: socket.socket) -> bytes:
    """All up to the empty line, and not a byte more: frames may follow."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = link.recv(1)
        if not byte or len(head) > LONGEST_HEAD:
            raise SystemExit(f"no handshake came from {link.getpeername()}")
        head += byte
    return head


def header_of(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\r\n"):
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip()
    raise SystemExit(f"a handshake without {name.decode()}")


def frame_head(length: int, *, masked: bool) -> bytes:
    """The start of a text frame. A client's is masked with zeros, which costs its sender nothing."""
    bit, key = (MASKED, bytes(4)) if masked else (0, b"")
    if length < 126:
        return bytes((TEXT, bit | length)) + key
    if length < 0x10000:
        return bytes((TEXT, bit | 126)) + length.to_bytes(2, "big") + key
    return bytes((TEXT, bit | 127)) + length.to_bytes(8, "big") + key


def frame_length(start: bytes) -> int:
    """Of a whole frame, from its first 10 bytes."""
    short, mask = start[1] & 0x7F, 4 if start[1] & MASKED else 0
    if short < 126:
        return 2 + mask + short
    size = 2 if short == 126 else 8
    return 2 + size + mask + int.from_bytes(start[2 : 2 + size], "big")
