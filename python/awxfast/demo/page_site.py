"""A page of the demo's, on an HTTP listener of its own: the relay's has websockets only."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from aiohttp import web


class PageSite:
    """Serves the page, and beside it what `routes` answer (another port would be another origin)."""

    def __init__(self, page: Path, routes: Sequence[web.RouteDef]) -> None:
        self._file = page
        application = web.Application()
        application.add_routes([web.get("/", self._page), *routes])
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        self.url = ""

    async def open(self) -> Self:
        """Serves on a free port of 127.0.0.1; `url` is the page's."""
        await self._runner.setup()
        listener = web.TCPSite(self._runner, "127.0.0.1", 0)
        await listener.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"
        return self

    async def stop(self) -> None:
        """Closes the listener and its connections."""
        await self._runner.cleanup()

    async def _page(self, request: web.Request) -> web.Response:
        return web.Response(body=self._file.read_bytes(), content_type="text/html", charset="utf-8")
