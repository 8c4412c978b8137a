"""What the intake's tests start and end."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from channels_redis.core import RedisChannelLayer
from loops import pytest_asyncio_loop_factories  # noqa: F401  a hook
from redis_servers import RedisServer, binary_of
from remembering_fanout import RememberingFanout


@pytest.fixture
def start_redis() -> Iterator[Callable[..., RedisServer]]:
    """Starts servers with options of the test's choice."""
    servers: list[RedisServer] = []

    def start(*options: str, url: str | None = None) -> RedisServer:
        servers.append(RedisServer(binary_of("installed"), *options, url=url))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture(params=["installed", "6.2"])
def either_redis(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """Once a server with BZMPOP, if there is one, and once one without."""
    server = RedisServer(binary_of(request.param))
    yield server
    server.close()


@pytest.fixture
def fanout() -> RememberingFanout:
    return RememberingFanout()


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
