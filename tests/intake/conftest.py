"""What these tests start and end: Redis servers, and who writes to them."""

from loops import pytest_asyncio_loop_factories  # noqa: F401  a hook
from redis_servers import either_redis, start_redis  # noqa: F401  fixtures
from remembering_fanout import fanout  # noqa: F401  a fixture
from sentinels import watched  # noqa: F401  a fixture
from stock_producers import stock_layer  # noqa: F401  a fixture
