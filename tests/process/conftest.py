"""Main processes that end with the test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from main_process import LOOPBACK, MainProcess
from redis_servers import RedisServer, start_redis  # noqa: F401  a fixture


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., MainProcess]]:
    """Starts a server with options of the test's choice."""
    started: list[MainProcess] = []

    def start_one(*options: str, **popen: Any) -> MainProcess:
        started.append(MainProcess(tmp_path, *options, **popen))
        return started[-1]

    yield start_one
    for server in started:
        server.process.kill()
        server.process.wait()


@pytest.fixture
def served(start: Callable[..., MainProcess], redis_server: RedisServer) -> MainProcess:
    """A server on a free port that everybody may use, on a Redis of the test's own."""
    server = start("-p", "0", "--redis", redis_server.url, *LOOPBACK)
    server.wait_until_serving()
    return server
