"""What the tests of nodes start and end."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from channels_redis.core import RedisChannelLayer
from loops import pytest_asyncio_loop_factories  # noqa: F401  a hook
from node_server import Dialler, settings_of_node
from redis_servers import RedisServer
from running import Running

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
