"""The demo's page, on an HTTP listener of its own: the relay's has websockets only."""

from pathlib import Path
from typing import Self

import aiohttp
from aiohttp import web

PAGE = Path(__file__).with_name("page.html")


class Site:
    """Serves the page, and the relay's ledger beside it (another port would be another origin)."""

    def __init__(self, session: aiohttp.ClientSession, relay: str, admin: str, jobs: list[int]) -> None:
        self._session = session
        self._ledger_url = f"http://{admin}/ledger"
        self._config = {"port": int(relay.rpartition(":")[2]), "jobs": jobs, "status": f"http://{admin}/"}
        application = web.Application()
        application.add_routes(
            [web.get("/", self._page), web.get("/config", self._send_config), web.get("/ledger", self._ledger)]
        )
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        self.url = ""

    @classmethod
    async def start(cls, session: aiohttp.ClientSession, relay: str, admin: str, jobs: list[int]) -> Self:
        """Serves on a free port of 127.0.0.1; `url` is the page's."""
        site = cls(session, relay, admin, jobs)
        await site._runner.setup()
        listener = web.TCPSite(site._runner, "127.0.0.1", 0)
        await listener.start()
        site.url = f"http://127.0.0.1:{site._runner.addresses[0][1]}/"
        return site

    async def stop(self) -> None:
        """Closes the listener and its connections."""
        await self._runner.cleanup()

    async def _page(self, request: web.Request) -> web.Response:
        return web.Response(body=PAGE.read_bytes(), content_type="text/html", charset="utf-8")

    async def _send_config(self, request: web.Request) -> web.Response:
        return web.json_response(self._config)

    async def _ledger(self, request: web.Request) -> web.Response:
        try:
            async with self._session.get(self._ledger_url) as answer:
                return web.Response(body=await answer.read(), status=answer.status, content_type="application/json")
        except aiohttp.ClientError:
            return web.Response(status=502, text="the relay does not answer")
