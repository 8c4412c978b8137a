"""Layers of either make on one Redis."""

from collections.abc import AsyncIterator

import pytest
from awxfast.layer import RedisChannelLayer
from channels_redis.core import RedisChannelLayer as StockLayer
from loops import pytest_asyncio_loop_factories  # noqa: F401  a hook
from redis_servers import RedisServer, start_redis  # noqa: F401  a fixture
from sentinels import watched  # noqa: F401  a fixture


@pytest.fixture
async def stock(redis_server: RedisServer) -> AsyncIterator[StockLayer]:
    """A consumer's layer, and the model of what ours must write."""
    layer = StockLayer(hosts=[redis_server.url])
    yield layer
    await layer.close_pools()


@pytest.fixture
async def ours(redis_server: RedisServer) -> AsyncIterator[RedisChannelLayer]:
    layer = RedisChannelLayer(hosts=[redis_server.url])
    yield layer
    await layer.close_pools()
