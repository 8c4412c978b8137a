"""A peer that writes bytes as it likes: it answers each upgrade as RFC 6455 asks, then does what the test says."""

import asyncio
import base64
import contextlib
import hashlib
import json
from collections.abc import Awaitable, Callable

Misdeed = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
FIN, TEXT, BINARY, PING, PONG = 0x80, 0x1, 0x2, 0x9, 0xA


def frame(text: bytes) -> bytes:
    """One text frame, of at least 126 bytes."""
    return (
        bytes((FIN | TEXT, 127)) + len(text).to_bytes(8) + text
        if len(text) > 65_535
        else (bytes((FIN | TEXT, 126)) + len(text).to_bytes(2) + text)
    )


def notices(groups: int) -> bytes:
    """Two: one that subscribes to so many groups, and one that leaves them."""
    names = ", ".join(f'"job_events-{number}"' for number in range(groups)).encode()
    return b"".join(
        frame(b'{"type": "consumer.' + kind + b'", "groups": [' + names + b'], "origin_channel": "s.x!1"}')
        for kind in (b"subscribe", b"unsubscribe")
    )


def subscriptions(groups: int) -> bytes:
    """To so many groups, a thousand in each."""
    wanted = [f"job_events-{number}" for number in range(groups)]
    return b"".join(
        frame(
            json.dumps(
                {"type": "consumer.subscribe", "groups": wanted[start : start + 1_000], "origin_channel": "s.x!1"}
            ).encode()
        )
        for start in range(0, groups, 1_000)
    )


EMPTY_FRAGMENTS = bytes((TEXT, 0)) + 40_000 * bytes(2)
KINDS = {
    "pings": bytes((FIN | PING, 0)),
    "pings with payloads": bytes((FIN | PING, 125)) + bytes(125),
    "pongs": bytes((FIN | 0xA, 0)),
    "empty texts": bytes((FIN | TEXT, 0)),
    "empty objects": bytes((FIN | TEXT, 2)) + b"{}",
    "empty fragments": bytes((TEXT, 0)) + 1_000 * bytes(2) + bytes((FIN, 0)),
    "events": frame(b'{"group": "job_events-1", "message": "' + b"x" * 200 + b'"}'),
    "notices": notices(10_000),
    "binary": bytes((FIN | BINARY, 0)),
}
"""What may be sent without end, by what it is."""


class FloodingPeer:
    """Listens at `port`; `misdeed` is called with each link. `header` is one more line of the 101."""

    def __init__(self, misdeed: Misdeed, header: bytes = b"") -> None:
        self._misdeed = misdeed
        self._header = header + b"\r\n" if header else b""
        self._writers: set[asyncio.StreamWriter] = set()
        self.links = 0

    async def __aenter__(self) -> "FloodingPeer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(accept(head).removesuffix(b"\r\n") + self._header + b"\r\n")
            self.links += 1
            await self._misdeed(reader, writer)
        writer.close()
        self._writers.discard(writer)


def accept(head: bytes) -> bytes:
    """The 101 for a request."""
    (key,) = [
        line.partition(b":")[2].strip()
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"sec-websocket-key:")
    ]
    proof = base64.b64encode(hashlib.sha1(key + GUID).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + proof + b"\r\n\r\n"
    )


def write_once(data: bytes) -> Misdeed:
    """Writes it, then reads until the dialler hangs up."""

    async def misdeed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        while await reader.read(65_536):
            pass

    return misdeed


def flood(frame: bytes) -> Misdeed:
    """Writes it again and again, and reads nothing."""

    async def misdeed(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = frame * max(1, 65_536 // len(frame))
        while True:
            writer.write(data)
            await writer.drain()
            await asyncio.sleep(0)

    return misdeed
