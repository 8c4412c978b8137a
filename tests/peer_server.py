"""A node to dial that does what the test wants: an aiohttp server whose answers and links are the test's."""

import asyncio
import json
import ssl
from typing import Any

from aiohttp import WSMsgType, web

HANG = 20.0
"""Seconds after which something that does not happen counts as failed."""


class PeerServer:
    """`answers`: by path a status or a whole response; a path that is not in it gets a link."""

    def __init__(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.tls, self.host = tls, host
        self.answers: dict[str, int | web.Response] = {}
        self.headers: dict[str, str] = {}
        self.requests: list[web.Request] = []
        self.links: list[web.WebSocketResponse] = []
        self.texts: asyncio.Queue[str] = asyncio.Queue()
        self.reads = asyncio.Event()
        self.reads.set()
        self.port = 0

    async def start(self) -> None:
        """Listens, the second time on the port that it had before."""
        application = web.Application()
        application.router.add_get("/{path:.*}", self.answer)
        self.runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await self.runner.setup()
        site = web.TCPSite(self.runner, self.host, self.port, reuse_address=True, ssl_context=self.tls)
        await site.start()
        self.port = self.runner.addresses[0][1]

    async def stop(self) -> None:
        """Every link is cut."""
        for request in self.requests:
            if request.transport is not None:
                request.transport.abort()
        await self.runner.cleanup()
        self.links.clear()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        answer = self.answers.get(request.path)
        if isinstance(answer, int):
            return web.Response(status=answer)
        if answer is not None:
            return web.Response(status=answer.status, headers=answer.headers)
        return await self.serve(request)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        link = web.WebSocketResponse(max_msg_size=0, compress=False)
        link.headers.update(self.headers)
        await link.prepare(request)
        self.links.append(link)
        while True:
            await self.reads.wait()
            message = await link.receive()
            if message.type is not WSMsgType.TEXT:
                break
            self.texts.put_nowait(message.data)
        self.links.remove(link)
        return link

    async def link(self) -> web.WebSocketResponse:
        """The link, once it is there."""
        await until(lambda: self.links)
        return self.links[0]

    async def send(self, document: Any) -> None:
        """One frame on the link: text as it is, anything else as JSON."""
        await (await self.link()).send_str(document if isinstance(document, str) else json.dumps(document))

    async def receive(self) -> Any:
        """The next frame from the dialler."""
        return json.loads(await asyncio.wait_for(self.texts.get(), HANG))


async def until(condition: Any) -> None:
    """Waits for something to come true."""
    async with asyncio.timeout(HANG):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)
