"""Each test runs twice: once against daphne, once against awxfast."""

from collections.abc import Callable, Iterator

import pytest
from parity.hosts import KINDS, HostingServer

Start = Callable[..., HostingServer]


@pytest.fixture(scope="session", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def server(kind: str) -> Iterator[HostingServer]:
    """One with the defaults, which all tests share."""
    one = HostingServer(kind)
    yield one
    one.close()


@pytest.fixture
def start(kind: str) -> Iterator[Start]:
    """For options of the test's choice."""
    running: list[HostingServer] = []

    def start_one(*options: str, application: str = "application:application") -> HostingServer:
        running.append(HostingServer(kind, *options, application=application))
        return running[-1]

    yield start_one
    for one in running:
        one.close()
