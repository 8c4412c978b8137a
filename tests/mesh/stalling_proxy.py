"""A TCP proxy whose network can go silent: no FIN, no RST, nothing, as when a cable or a firewall goes."""

import asyncio
import contextlib


class StallingProxy:
    """Forwards to one port until it is frozen; `HOST:PORT` of its own is `address`."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.flows = asyncio.Event()
        self.flows.set()
        self.writers: list[asyncio.StreamWriter] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.accepted = 0

    async def start(self) -> None:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    def freeze(self) -> None:
        """From now on nothing gets through, either way; who connects gets no answer."""
        self.flows.clear()

    def thaw(self) -> None:
        """All that was under way goes on."""
        self.flows.set()

    def cut(self) -> None:
        """Ends each connection with a reset."""
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()

    async def stop(self) -> None:
        self.server.close()
        self.cut()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        self.accepted += 1
        self.writers.append(writer)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await self.flows.wait()
            onward_reader, onward = await asyncio.open_connection("127.0.0.1", self.target)
            self.writers.append(onward)
            await asyncio.gather(self.forward(reader, onward), self.forward(onward_reader, writer))
        self.tasks.discard(task)

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction; its end ends the other."""
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self.flows.wait()
                writer.write(data)
                await writer.drain()
        writer.close()
