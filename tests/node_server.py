"""Servers with a secret, and what dials them: nodes and browsers."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from awxfast._rust import sign_secret
from awxfast.settings import Settings
from channels_redis.core import RedisChannelLayer
from redis_servers import RedisServer
from running import Running

SECRET = "of all nodes"


def settings_of_node(redis_url: str, folder: Path, *, secrets: Sequence[str] = (SECRET,), **options: Any) -> Settings:
    """A native server on this Redis, for everybody."""
    files = [folder / f"secret-{number}" for number in range(len(secrets))]
    for file, secret in zip(files, secrets, strict=True):
        file.write_text(secret + "\n")
    defaults = {"redis": (redis_url,), "auth": "open", "access_log": "/dev/null"}
    return Settings(**{**defaults, "secret_files": tuple(map(str, files)), **options})


async def eventually(ask: Callable[[], Awaitable[Any]], wanted: Any) -> None:
    """Asks until the answer is this; the time is only a guard against hanging."""
    async with asyncio.timeout(20):
        while (answer := await ask()) != wanted:  # noqa: ASYNC110  what is asked for has no event
            await asyncio.sleep(0.01)
    assert answer == wanted


def sign(seconds: int = 0, secret: str = SECRET) -> dict[str, str]:
    """The header of a node whose clock is off by so many seconds."""
    return {"secret": sign_secret(secret, int(time.time()) + seconds)}


def relayed(group: str, text: str) -> str:
    """An event as a stock dialler of the relay era sends it."""
    return json.dumps({"group": group, "message": {"type": "internal.message", "text": text}})


class Dialler:
    """Opens websockets as nodes and browsers do."""

    def __init__(self) -> None:
        self.session = aiohttp.ClientSession()

    async def dial(
        self, running: Running, era: str = "relay", headers: Mapping[str, str] | None = None
    ) -> aiohttp.ClientWebSocketResponse:
        """A link; raises aiohttp's WSServerHandshakeError."""
        url = f"{running.url}/websocket/{era}/"
        return await self.session.ws_connect(url, headers=sign() if headers is None else headers, max_msg_size=0)

    async def status(self, running: Running, headers: Mapping[str, str] | None = None, era: str = "relay") -> int:
        """What a handshake is answered with; a link is closed at once."""
        try:
            await (await self.dial(running, era, headers)).close()
        except aiohttp.WSServerHandshakeError as error:
            return error.status
        return 101

    async def subscribe(self, running: Running, **groups: Any) -> aiohttp.ClientWebSocketResponse:
        """A browser that is subscribed."""
        browser = await self.session.ws_connect(f"{running.url}/websocket/")
        assert await browser.receive_json() == {"accept": True, "user": 0}
        await browser.send_json({"groups": groups})
        reply = await browser.receive_json()
        assert len(reply["groups_current"]) == sum(map(len, groups.values()))
        return browser


StartNode = Callable[..., Awaitable[Running]]


@pytest.fixture
async def start_node(redis_server: RedisServer, tmp_path: Path) -> AsyncIterator[StartNode]:
    """Starts servers on the test's Redis with settings of its choice."""
    started: list[Running] = []

    async def start(**options: Any) -> Running:
        started.append(Running(settings_of_node(redis_server.url, tmp_path, **options)))
        await started[-1].wait_until_serving()
        return started[-1]

    yield start
    for running in started:
        if not running.task.done():
            await running.stop()


@pytest.fixture
async def node(start_node: StartNode) -> Running:
    return await start_node()


@pytest.fixture
async def dialler() -> AsyncIterator[Dialler]:
    one = Dialler()
    yield one
    await one.session.close()


@pytest.fixture
async def producer(redis_server: RedisServer) -> AsyncIterator[RedisChannelLayer]:
    """An unmodified producer on the test's Redis."""
    layer = RedisChannelLayer(hosts=[redis_server.url], capacity=10_000)
    yield layer
    await layer.close_pools()
