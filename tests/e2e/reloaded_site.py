"""The reload site under awxfast, reloaded as an operator does."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
from main_process import is_alive
from redis_servers import RedisServer
from servers import HANG, AwxfastServer, list_children, wait_for
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

APPLICATION = "reload_site:application"
SLOW = 4 * HANG
"""Seconds for what takes several starts of a process."""


class Site:
    """The reload site under awxfast."""

    def __init__(self, redis: RedisServer, folder: Path, *options: str) -> None:
        self.folder = folder
        self.redis = redis
        self.server = AwxfastServer(None, *options, APPLICATION, auth=None)
        self.port = self.server.port

    def reload(self) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "awxfast", "reload", "--admin", str(self.server.admin)]
        return subprocess.run(words, capture_output=True, text=True, timeout=SLOW, check=False)

    async def must_reload(self) -> str:
        done = await asyncio.to_thread(self.reload)
        assert done.returncode == 0, done.stderr + self.server.text()
        return done.stdout

    async def must_fail(self) -> str:
        done = await asyncio.to_thread(self.reload)
        assert (done.returncode, done.stdout) == (1, ""), done.stdout
        return done.stderr

    def break_next(self, code: str) -> None:
        (self.folder / "fault").write_text(code)

    def mend(self) -> None:
        (self.folder / "fault").unlink()

    def diary(self) -> list[str]:
        path = self.folder / "diary"
        return path.read_text().splitlines() if path.exists() else []

    def children(self) -> list[int]:
        return [number for number in list_children(self.server.process.pid) if is_alive(number)]

    async def ask(self, path: str = "/") -> str:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{self.port}{path}") as response:
            return (await response.text()).strip()

    async def until(self, condition: Callable[[], Any]) -> Any:
        return await asyncio.to_thread(wait_for, condition, SLOW)


async def wait_closed(connection: ClientConnection) -> int | None:
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(SLOW):
            while True:
                await connection.recv()
    return connection.close_code
