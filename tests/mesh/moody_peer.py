"""What a dialler meets in front of a peer: proxies without a server, redirects, resets, silence, garbage."""

import asyncio
import contextlib
import socket
import struct

ANSWERS = {
    "403": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
    "redirect": b"HTTP/1.1 301 Moved Permanently\r\nLocation: https://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    "garbage": b"\x00\xff garbage\r\n\r\n",
    "502": b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
}
MOODS = (*ANSWERS, "reset", "hang")
RESET = struct.pack("ii", 1, 0)


class MoodyPeer:
    """Listens at `address`; without a mood it passes everything on to `target`."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.mood = MOODS[0]
        self.tasks: set[asyncio.Task[None]] = set()
        self.writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        self.writers.add(writer)
        task.add_done_callback(self.tasks.discard)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            if not self.mood:
                await self.pass_on(head, reader, writer)
            elif self.mood == "hang":
                await reader.read()
            elif self.mood == "reset":
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            else:
                writer.write(ANSWERS[self.mood])
        writer.close()
        self.writers.discard(writer)

    async def pass_on(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward_reader, onward = await asyncio.open_connection("127.0.0.1", self.target)
        self.writers.add(onward)
        onward.write(head)
        await asyncio.gather(forward(reader, onward), forward(onward_reader, writer))


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction; its end ends the other."""
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()
