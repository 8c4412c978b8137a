"""What all tests share: a Redis of their own, and the switch for long tests."""

import signal
from collections.abc import Generator, Iterator

import pytest
from layer_forms import FORMS, LayerForm
from parity.hosts import HostingServer
from redis_servers import RedisServer
from sources import without_collection


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-long", action="store_true", help="also run tests that take minutes")
    parser.addoption(
        "--hosting-workers", default=1, help="serving processes of tests/site's and tests/parity's awxfast"
    )
    parser.addoption("--layer", default="core", choices=[*FORMS], help="the form of tests/e2e's channel layer")


def pytest_configure(config: pytest.Config) -> None:
    """Signals are as a terminal leaves them, also where a shell's `&` has them ignored by all that we start."""
    HostingServer.workers = config.getoption("--hosting-workers")
    LayerForm.chosen = config.getoption("--layer")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--run-long"):
        skip = pytest.mark.skip(reason="takes minutes: make test-long")
        for item in items:
            if "long" in item.keywords:
                item.add_marker(skip)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure's report has the source that it is about."""
    with without_collection():
        return (yield)


@pytest.fixture
def three_redis() -> Iterator[list[RedisServer]]:
    """Those of a layer that has several."""
    servers = [RedisServer() for _ in range(3)]
    yield servers
    for server in servers:
        server.close()


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A Redis for this test alone."""
    server = RedisServer()
    yield server
    server.close()
