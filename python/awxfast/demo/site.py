"""The demo's page, with the relay's ledger beside it."""

from pathlib import Path

import aiohttp
from aiohttp import web

from awxfast.demo.page_site import PageSite

PAGE = Path(__file__).with_name("page.html")


class Site(PageSite):
    """Tells the page where the relay is, and fetches its ledger."""

    def __init__(self, session: aiohttp.ClientSession, relay: str, admin: str, jobs: list[int]) -> None:
        super().__init__(PAGE, [web.get("/config", self._send_config), web.get("/ledger", self._ledger)])
        self._session = session
        self._ledger_url = f"http://{admin}/ledger"
        self._config = {"port": int(relay.rpartition(":")[2]), "jobs": jobs, "status": f"http://{admin}/"}

    async def _send_config(self, request: web.Request) -> web.Response:
        return web.json_response(self._config)

    async def _ledger(self, request: web.Request) -> web.Response:
        try:
            async with self._session.get(self._ledger_url) as answer:
                return web.Response(body=await answer.read(), status=answer.status, content_type="application/json")
        except aiohttp.ClientError:
            return web.Response(status=502, text="the relay does not answer")
