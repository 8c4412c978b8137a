"""What main and child say to each other: one JSON object a line over a socketpair.

    main to child    start {settings, listeners: [[descriptor, backlog, tls_files]], admin, used_headers, token,
                            passing, generation, reloads, draining}, to an heir also {inherits}
                     reload_files   ping   stop   hand_over {heir, format}   reloads {counts}   draining {count}
                     who has handed over: drain, or go_on where nobody has taken its place after all
    child to main    serving   failed {text, exit_code}   pong   used_header {header}
                     an heir: ready {format}   succeeded {kept, drained, silence}
                     who was to hand over: kept_on {text}; one that has clients left: left

`passing` is a socket of its own for descriptors, `inherits` the one through which an heir gets all (`app.handover`).

The end of the stream means that the other process is gone.
"""

import asyncio
import contextlib
import json
import socket
from typing import Any

LINE_LIMIT = 1 << 20


class Pipe:
    """One end. Few and small messages: nothing is sent in answer to something that repeats unasked."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, sock: socket.socket) -> "Pipe":
        """Takes over a connected socket."""
        return cls(*await asyncio.open_connection(sock=sock, limit=LINE_LIMIT))

    def send(self, kind: str, **fields: Any) -> None:
        """Sends one message; to a peer that is gone: nothing."""
        if not self._writer.is_closing():
            self._writer.write(json.dumps({"kind": kind, **fields}).encode() + b"\n")

    async def receive(self) -> dict[str, Any] | None:
        """The next message; None when the other process is gone."""
        try:
            return parse_line(await self._reader.readline())
        except ConnectionError:
            return None

    async def close(self) -> None:
        """Sends what is left, then closes."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


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
    """A line's message; None for one that was cut by the end of the stream."""
    message: dict[str, Any] | None = json.loads(line) if line.endswith(b"\n") else None
    return message
