"""All rooms of a server in the test's own process, without main and child."""

import asyncio
import json
import os
import socket
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from awxfast.app.fellows import Fellows
from awxfast.app.relay import Relay
from awxfast.app.serving import serve
from awxfast.figures import Figures, Place
from awxfast.http.listening import Listening
from awxfast.operate.admin import AdminListener
from awxfast.operate.view import OwnSource
from awxfast.settings import Settings


class Control:
    """Stands in for main."""

    def __init__(self) -> None:
        self.serving = asyncio.Event()
        self.stop = asyncio.Event()
        self.died: int | None = None
        self.figures: Figures | None = None
        self.token: str | None = None
        self.fellows: Fellows | None = None
        self.reload_files: Callable[[], None] | None = None
        self.used_headers: list[str] = []

    def report_used_header(self, header: str) -> None:
        self.used_headers.append(header)

    def show(self, figures: Figures, *, inherited: bool = False) -> None:
        self.figures = figures

    def report_serving(self, relay: Relay) -> None:
        self.relay = relay
        self.reload_files = relay.reload_files
        self.serving.set()

    async def wait_for_stop(self) -> None:
        await self.stop.wait()


class Running:
    """A relay that serves in a task."""

    def __init__(self, settings: Settings) -> None:
        self.control = Control()
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.admin = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.sock.getsockname()[1]}"
        self.admin_url = f"http://127.0.0.1:{self.admin.getsockname()[1]}"
        self.task = asyncio.ensure_future(self._serve(settings))

    async def _serve(self, settings: Settings) -> None:
        with self.admin:
            serving = asyncio.ensure_future(serve(settings, [Listening(self.sock)], self.control))
            await asyncio.sleep(0)
            if self.control.figures is None:
                return await serving
            source = OwnSource(self.control.figures, Place(os.getpid()))
            listener = await AdminListener.start(source, self.admin.dup())
            try:
                await serving
            finally:
                await listener.stop()

    async def wait_until_serving(self) -> None:
        await asyncio.wait_for(self.control.serving.wait(), 30)

    async def ledger(self) -> dict[str, Any]:
        """The admin listener's."""
        return json.loads(await self.ask("/ledger"))

    async def figure(self, name: str) -> Any:
        """One part of the ledger."""
        return (await self.ledger())[name]

    async def peers(self) -> list[dict[str, Any]]:
        """Other nodes, as the ledger has them."""
        return list((await self.ledger())["peers"])

    async def peer(self, name: str) -> Any:
        """A figure of the only one."""
        (peer,) = await self.peers()
        return peer[name]

    async def ask(self, path: str) -> str:
        """One page of the admin listener."""
        async with aiohttp.ClientSession() as session, session.get(self.admin_url + path) as response:
            return await response.text()

    async def stop(self) -> None:
        self.control.stop.set()
        await asyncio.wait_for(self.task, 30)

    async def wait_for_failure(self, kind: type[Exception], text: str) -> None:
        with pytest.raises(kind, match=text):
            await asyncio.wait_for(self.task, 30)
        self.sock.close()
        self.admin.close()
