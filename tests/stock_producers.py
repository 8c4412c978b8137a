"""Unmodified producers, for tests that send as AWX does."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from channels_redis.core import RedisChannelLayer
from redis_servers import RedisServer


@pytest.fixture
async def stock_layer() -> AsyncIterator[Callable[..., RedisChannelLayer]]:
    """Unmodified channels_redis producers, as AWX configures them."""
    layers: list[RedisChannelLayer] = []

    def make(server: RedisServer, **options: Any) -> RedisChannelLayer:
        layers.append(RedisChannelLayer(**{"hosts": [server.url], "capacity": 10_000, **options}))
        return layers[-1]

    yield make
    for layer in layers:
        await layer.close_pools()
