"""A connection that a test has, and something else that listens where a Redis should."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from awxfast.redis.address import RedisAddress
from awxfast.redis.connection import RedisConnection
from awxfast.redis.login import open_connection

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def connected(address: RedisAddress | str, **options: Any) -> AsyncIterator[RedisConnection]:
    if isinstance(address, str):
        address = RedisAddress.parse(address)
    connection = await open_connection(address, **options)
    with contextlib.closing(connection):
        yield connection


@contextlib.asynccontextmanager
async def impostor(handle: Handler) -> AsyncIterator[RedisAddress]:
    """Something else that listens where a Redis should."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            with contextlib.suppress(ConnectionError):
                await handle(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield RedisAddress.parse(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
        await asyncio.sleep(0)
