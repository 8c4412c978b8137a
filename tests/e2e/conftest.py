"""A Redis, awxfast and producers for each test; all end with it."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from channels_redis.core import RedisChannelLayer
from producers import Producer
from redis_servers import RedisServer
from reloaded_site import Site
from reloading import Faults
from servers import AwxfastServer
from site_browsers import python_path


@pytest.fixture
def start_relay(redis_server: RedisServer) -> Iterator[Callable[..., AwxfastServer]]:
    """Starts awxfast with options of the test's choice on the test's Redis."""
    started: list[AwxfastServer] = []

    def start(*options: str) -> AwxfastServer:
        started.append(AwxfastServer(redis_server.url, *options))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Faults:
    """Those of all processes that the test starts."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return Faults(tmp_path)


@pytest.fixture
def relay(start_relay: Callable[..., AwxfastServer]) -> AwxfastServer:
    return start_relay()


@pytest.fixture
def new_producer(redis_server: RedisServer) -> Iterator[Callable[..., Producer]]:
    """Makes producer processes: `new_producer(producer, count, *options)`."""
    made: list[Producer] = []

    def make(producer: int, count: int, *options: str) -> Producer:
        made.append(Producer(redis_server.url, producer, count, *options))
        return made[-1]

    yield make
    for producer in made:
        producer.close()


@pytest.fixture
def start_site(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Site]]:
    monkeypatch.setenv("EVENTS_SITE_REDIS", redis_server.url)
    monkeypatch.setenv("RELOAD_SITE", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", python_path())
    started: list[Site] = []

    def start(*options: str) -> Site:
        started.append(Site(redis_server, tmp_path, *options))
        return started[-1]

    yield start
    for site in started:
        site.server.close()


@pytest.fixture
async def producer(redis_server: RedisServer) -> AsyncIterator[RedisChannelLayer]:
    layer = RedisChannelLayer(hosts=[redis_server.url], capacity=10_000)
    yield layer
    await layer.close_pools()


def balanced(ledger: dict) -> bool:
    return ledger["balance"] == {"events": 0, "frames": 0}
