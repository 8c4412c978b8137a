"""Browsers of the events site, and how it is found."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from redis_servers import HANG
from websockets.asyncio.client import ClientConnection, connect

SITE = "events_site:application"
Start = Callable[..., int]
"""Starts the site with options; gives the port."""


def python_path() -> str:
    return os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])


@contextlib.asynccontextmanager
async def browser(port: int, path: str = "commands/") -> AsyncIterator[ClientConnection]:
    async with connect(f"ws://127.0.0.1:{port}/{path}", open_timeout=HANG) as connection:
        yield connection


async def receive(connection: ClientConnection) -> str:
    async with asyncio.timeout(HANG):
        return str(await connection.recv())


async def command(connection: ClientConnection, words: str) -> None:
    await connection.send(words)
    assert await receive(connection) == f"done {words.split()[0]}"


def event(text: str) -> dict[str, str]:
    return {"type": "internal.message", "text": text}
