"""The server of a stock AWX node of either era, in the test's loop or as a process: `python stock_server.py --help`."""

import argparse
import asyncio

from aiohttp import web
from stock_consumers import BroadcastConsumer, BrowserConsumer, Consumer, RelayConsumer
from stock_layer import new_layer
from stock_secret import accepts

ENDPOINTS: dict[str, type[Consumer]] = {
    "broadcast": BroadcastConsumer,
    "relay": RelayConsumer,
}


class StockServer:
    """Browsers at `/websocket/`, nodes at the endpoint of its era; the other era's is unknown, hence 500."""

    def __init__(self, redis_url: str, secret: str, era: str, clock_error: int = 0) -> None:
        self.redis_url, self.secret, self.era, self.clock_error = redis_url, secret, era, clock_error
        self.port = 0
        self.refused = 0
        self.links = 0
        self.requests: list[web.Request] = []

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/websocket/"

    async def start(self) -> None:
        """Listens, the second time on the port that it had before; a process of its own in the layer each time."""
        self.layer = new_layer(self.redis_url)
        application = web.Application()
        application.router.add_get("/websocket/", self.serve_browser)
        application.router.add_get(f"/websocket/{self.era}/", self.serve_node)
        application.router.add_get("/{unknown:.*}", self.serve_unknown)
        self.runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self.runner.addresses[0][1]

    async def stop(self) -> None:
        """Ends it as a signal would: every socket is gone at once, names in Redis stay only if it was killed."""
        for request in list(self.requests):
            if request.transport is not None:
                request.transport.abort()
        await self.runner.cleanup()
        await self.layer.close_pools()

    async def serve_browser(self, request: web.Request) -> web.StreamResponse:
        return await self.serve(request, BrowserConsumer)

    async def serve_node(self, request: web.Request) -> web.StreamResponse:
        if not accepts(self.secret, request.headers.get("secret"), self.clock_error):
            self.refused += 1
            return web.Response(status=403)
        self.links += 1
        return await self.serve(request, ENDPOINTS[self.era])

    async def serve_unknown(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=500)

    async def serve(self, request: web.Request, kind: type[Consumer]) -> web.StreamResponse:
        websocket = web.WebSocketResponse(compress=False, heartbeat=20, max_msg_size=0)
        await websocket.prepare(request)
        consumer = kind(self.layer, websocket, announces=self.era == "relay")
        if isinstance(consumer, BrowserConsumer):
            consumer.token = read_token(request.headers.get("cookie", ""))
        self.requests.append(request)
        try:
            await consumer.run()
        finally:
            self.requests.remove(request)
        return websocket


def read_token(cookies: str) -> str:
    """The CSRF token; values are as sent, as Django reads them."""
    pairs = (cookie.strip().partition("=") for cookie in cookies.split(";"))
    return next((value for name, _, value in pairs if name == "csrftoken"), "")


async def serve_forever(options: argparse.Namespace) -> None:
    server = StockServer(options.redis, options.secret, options.era)
    server.port = options.port
    await server.start()
    print(server.port, flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--redis", required=True)
    parser.add_argument("--secret", required=True)
    parser.add_argument("--era", choices=ENDPOINTS, required=True)
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(serve_forever(parser.parse_args()))


if __name__ == "__main__":
    main()
