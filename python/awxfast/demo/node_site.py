"""The page of three nodes, with how they are beside it."""

from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from awxfast.demo.demo_node import DemoNode
from awxfast.demo.page_site import PageSite

PAGE = Path(__file__).with_name("nodes.html")


class NodeSite(PageSite):
    """Tells the page of the nodes."""

    def __init__(self, nodes: Sequence[DemoNode]) -> None:
        super().__init__(PAGE, [web.get("/nodes", self._list_nodes)])
        self._nodes = nodes

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
