"""One node of a mesh: a Redis, a server, a dialler and a producer, each stock-like or awxfast.

Those of awxfast work with this run's form of the layer, which may have several Redis.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

from awxfast_dialler import AwxfastDialler
from events import event_text
from layer_forms import chosen_form, close_layer
from redis_servers import RedisServer
from servers import AwxfastServer
from stock_dialler import StockDialler
from stock_layer import new_sender, send_event
from stock_server import StockServer

SECRET = "the secret of this mesh's nodes"
STOCK_RETRY = 0.3
"""Shorter than stock's own: nothing here waits for it."""


class Node:
    """`kinds` is `server dialler`, each word `stock` or `awxfast`."""

    def __init__(self, number: int, kinds: str, era: str, secret_file: Path, redis_url: str | None = None) -> None:
        self.number, self.era, self.secret_file = number, era, secret_file
        self.server_kind, self.dialler_kind = kinds.split()
        self.own_redis = [] if redis_url else [RedisServer() for _ in range(chosen_form().servers)]
        self.redis_urls = [redis_url] if redis_url else [server.url for server in self.own_redis]
        self.layer = new_sender(self.redis_urls)
        self.server_options: tuple[str, ...] = ()
        self.server: StockServer | AwxfastServer | None = None
        self.dialler: StockDialler | AwxfastDialler | None = None

    @property
    def redis(self) -> RedisServer:
        """Its own, the first of them."""
        return self.own_redis[0]

    @property
    def redis_url(self) -> str:
        return self.redis_urls[0]

    @property
    def layer_options(self) -> list[str]:
        """Beside the first Redis."""
        return chosen_form().relay_options(self.redis_urls)

    @property
    def server_port(self) -> int:
        assert self.server is not None
        return self.server.port

    @property
    def server_url(self) -> str:
        return f"ws://{self.address}/websocket/"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    async def start_server(self, port: int = 0) -> None:
        """On a free port, or on the one that a former server had."""
        if self.server_kind == "stock":
            self.server = StockServer(self.redis_url, SECRET, self.era)
            self.server.port = port
            await self.server.start()
        else:
            options = (*self.layer_options, "--secret-file", str(self.secret_file), *self.server_options)
            self.server = await asyncio.to_thread(AwxfastServer, self.redis_url, *options, port=port)

    async def start_dialler(self, era: str, peers: Sequence[str], *options: str) -> None:
        if self.dialler_kind == "stock":
            self.dialler = StockDialler(self.redis_url, SECRET, self.era, peers, retry=STOCK_RETRY)
            await self.dialler.start()
        else:
            words = (*self.layer_options, "--name", f"node-{self.number}", *options)
            self.dialler = AwxfastDialler(self.redis_url, self.secret_file, era, peers, *words)
            await asyncio.to_thread(self.dialler.start)

    async def reload_server(self) -> None:
        assert isinstance(self.server, AwxfastServer)
        done = await asyncio.to_thread(self.server.reload)
        assert done.returncode == 0, done.stderr + self.server.text()

    async def stop_dialler(self) -> None:
        await close_part(self.dialler)
        self.dialler = None

    async def stop_server(self) -> None:
        await close_part(self.server)
        self.server = None

    async def links_up(self) -> int:
        if isinstance(self.dialler, StockDialler):
            return len(self.dialler.up)
        assert self.dialler is not None
        return len(await asyncio.to_thread(self.dialler.connected))

    async def send(self, producer: int, group: str, number: int, era: str | None = None) -> None:
        """One event by an unmodified channels_redis."""
        await send_event(self.layer, era or self.era, group, event_text(producer, number, group))

    async def close(self) -> None:
        await self.stop_dialler()
        await self.stop_server()
        with contextlib.suppress(ConnectionError, OSError):
            await close_layer(self.layer)
        for server in self.own_redis:
            await asyncio.to_thread(server.close)


async def close_part(part: StockDialler | AwxfastDialler | StockServer | AwxfastServer | None) -> None:
    """Ends it, wherever it runs."""
    if isinstance(part, StockDialler | StockServer):
        await part.stop()
    elif part is not None:
        await asyncio.to_thread(part.close)
