"""The loop of these tests, and the engines that they start and end."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from carrier_traffic import Traffic
from engine.cluster_traffic import two_nodes
from loops import pytest_asyncio_loop_factories  # noqa: F401  a hook
from nats_servers import nats_cluster, start_nats  # noqa: F401  fixtures
from nats_users import join_nats  # noqa: F401  a fixture
from redis_cluster import RedisCluster
from redis_servers import start_redis  # noqa: F401  a fixture


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    """Of the installed Redis, for all tests of a file: what they do to it, they undo, or nobody minds."""
    running = RedisCluster()
    yield running
    running.close()


@pytest_asyncio.fixture
async def traffic(cluster: RedisCluster) -> AsyncIterator[Traffic]:
    """Between two nodes at the file's cluster."""
    async with two_nodes(cluster.url) as traffic:
        yield traffic
