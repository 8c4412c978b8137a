"""What main and child say to each other: one JSON object a line over a socketpair.

    main to child    start {settings, listeners: [[descriptor, backlog, tls_files]], used_headers, token, passing,
                            generation, worker: {number, count, shares}}, to an heir also {inherits}, where one
                            died {died}
                     reload_files   ping   stop   hand_over {heir, format}   look   look_at_clients
                     used_header {header}: in another process of this server   header_claimed {header, fresh}
                     to one of several: register, who has imported; listen, who is prepared
                     who has handed over: drain, or go_on where nobody has taken its place after all
    child to main    serving   failed {text, exit_code}   pong   used_header {header}   stands {frames}
                     one of several: imported   prepared   claim_header {header}
                     figures {counted, own, present, inherited, has_left, is_answer}: at its start and end, too
                     clients {rows}
                     an heir: ready {format}   succeeded {kept, drained, silence}
                     who was to hand over: kept_on {text, heir}; one that has clients left: left {can_go_on, heir}

`passing` is a socket of its own for descriptors, `inherits` the one through which an heir gets all (`app.handover`).

The end of the stream means that the other process is gone.
"""

import asyncio
import contextlib
import json
import os
import socket
from typing import Any

LINE_LIMIT = 1 << 24
"""Bytes: the figures of two thousand nodes are a tenth of it."""


class Pipe:
    """Either end of it. Few and small messages: nothing is sent in answer to something that repeats unasked."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, sock: socket.socket, received: str = "") -> "Pipe":
        """Takes over a connected socket, of which this was received and not yet looked at."""
        reader = asyncio.StreamReader(limit=LINE_LIMIT)
        reader.feed_data(received.encode())
        loop = asyncio.get_running_loop()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.create_connection(lambda: protocol, sock=sock)
        return cls(reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    def send(self, kind: str, **fields: Any) -> None:
        """Sends one message; to a peer that is gone: nothing."""
        if not self._writer.is_closing():
            self._writer.write(json.dumps({"kind": kind, **fields}).encode() + b"\n")

    @property
    def is_behind(self) -> bool:
        """Whether the other process has still to take what was sent to it."""
        transport: Any = self._writer.transport
        return bool(transport.get_write_buffer_size())

    async def receive(self) -> dict[str, Any] | None:
        """The next message; None when the other process is gone, or says what is no message."""
        try:
            return parse_line(await self._reader.readline())
        except (ConnectionError, ValueError):
            return None

    async def flush(self) -> None:
        """Returns when all is sent; to a peer that is gone nothing is. Raises `OSError` for one that goes meanwhile."""
        if not self._writer.is_closing():
            self._writer.transport.set_write_buffer_limits(high=0)
            await self._writer.drain()

    async def leave(self) -> tuple[int, str]:
        """The descriptor, and what has come through it that nobody has received: for this process's next program.

        Nobody may be receiving. It can't be used here any more.
        """
        transport: Any = self._writer.transport  # of both directions
        if transport.is_closing():  # the peer is gone; that shows to whoever receives next
            descriptor = open_ended()
        else:
            transport.pause_reading()
            descriptor = os.dup(transport.get_extra_info("socket").fileno())
        self._reader.feed_eof()
        unreceived = b""
        with contextlib.suppress(OSError):
            unreceived = await self._reader.read()
        transport.abort()
        return descriptor, unreceived.decode()

    def end(self) -> None:
        """The other process is gone, whoever else has its end of it: what has come can be received, and then None."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """Sends what is left, then closes."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


def open_ended() -> int:
    """A stream that is at its end."""
    ours, theirs = socket.socketpair()
    theirs.close()
    return ours.detach()


def receive_blocking(sock: socket.socket) -> dict[str, Any] | None:
    """The first message, before there is a loop. What comes behind it is left for a `Pipe`."""
    line = b""
    while not line.endswith(b"\n"):
        waiting = sock.recv(LINE_LIMIT, socket.MSG_PEEK)
        piece = sock.recv(waiting.find(b"\n") + 1 or len(waiting)) if waiting else b""
        if not piece:
            break
        line += piece
    return parse_line(line)


def parse_line(line: bytes) -> dict[str, Any] | None:
    """A line's message; None for one that was cut by the end of the stream, or is none."""
    message = json.loads(line) if line.endswith(b"\n") else None
    return message if isinstance(message, dict) and "kind" in message else None
