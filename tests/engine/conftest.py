"""The loop of these tests, and the engines that they start and end."""

from engine.cluster_traffic import traffic  # noqa: F401  a fixture
from loops import pytest_asyncio_loop_factories  # noqa: F401  a hook
from nats_servers import nats_cluster, start_nats  # noqa: F401  fixtures
from nats_users import join_nats  # noqa: F401  a fixture
from redis_cluster import cluster, own_cluster  # noqa: F401  fixtures
from redis_servers import start_redis  # noqa: F401  a fixture
