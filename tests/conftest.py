"""What all tests share: a Redis of their own, and the switch for long tests."""

from collections.abc import Iterator

import pytest
from redis_servers import RedisServer


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-long", action="store_true", help="also run tests that take minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--run-long"):
        skip = pytest.mark.skip(reason="takes minutes: make test-long")
        for item in items:
            if "long" in item.keywords:
                item.add_marker(skip)


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A Redis for this test alone."""
    server = RedisServer()
    yield server
    server.close()
