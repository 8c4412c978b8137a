"""The page of three nodes, on an HTTP listener of its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from aiohttp import web

from awxfast.demo.demo_node import DemoNode

PAGE = Path(__file__).with_name("nodes.html")


class NodeSite:
    """Serves the page, and beside it how the nodes are."""

    def __init__(self, nodes: Sequence[DemoNode]) -> None:
        self._nodes = nodes
        application = web.Application()
        application.add_routes([web.get("/", self._page), web.get("/nodes", self._list_nodes)])
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        self.url = ""

    @classmethod
    async def start(cls, nodes: Sequence[DemoNode]) -> Self:
        """Serves on a free port of 127.0.0.1; `url` is the page's."""
        site = cls(nodes)
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

    async def _list_nodes(self, request: web.Request) -> web.Response:
        return web.json_response(
            [
                {
                    "name": node.name,
                    "job": node.job,
                    "port": node.port,
                    "state": node.state,
                    "status": f"http://127.0.0.1:{node.admin}/",
                }
                for node in self._nodes
            ]
        )
