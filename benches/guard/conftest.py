"""What all benchmarks share."""

from collections.abc import Iterator

import pytest
from redis_servers import RedisServer
from servers import AwxfastServer

from guard.comparison import Benchmark, Compare


@pytest.fixture
def compare(benchmark: Benchmark) -> Compare:
    """Times a piece of work beside a yardstick."""
    return Compare(benchmark)


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """One of its own, with nothing in it."""
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture
def relay(redis_server: RedisServer) -> Iterator[AwxfastServer]:
    """awxfast in processes of its own, native, for everybody."""
    server = AwxfastServer(redis_server.url, "--threads", "1")
    yield server
    server.close()
