"""A Redis, awxfast and producers for each test; all end with it."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from layer_forms import LayerForm, chosen_form, close_layer
from nats_servers import NatsCluster
from producers import Producer
from redis_cluster import RedisCluster
from redis_servers import RedisServer
from reloaded_site import Site
from reloading import Faults
from sentinels import watched  # noqa: F401  a fixture
from servers import AwxfastServer
from site_browsers import python_path

ENGINES = {"nats": NatsCluster, "redis-cluster": RedisCluster}
PREFIXES = itertools.count(1)


@pytest.fixture
def layer_urls(redis_server: RedisServer) -> Iterator[list[str]]:
    """All Redis of the layer: the test's own, and more where the form is one of several."""
    more = [RedisServer() for _ in range(chosen_form().servers - 1)]
    yield [redis_server.url, *(server.url for server in more)]
    for server in more:
        server.close()


@pytest.fixture
def one_redis() -> None:
    """For what looks into the Redis of its groups; `test_hosts` has the same for several."""
    if chosen_form().servers > 1:
        pytest.skip("the layer has several Redis: see test_hosts")


@pytest.fixture(scope="module", params=ENGINES)
def engine_servers(request: pytest.FixtureRequest) -> Iterator[NatsCluster | RedisCluster]:
    """A cluster of three servers, or of three masters with their replicas, for all tests of a file."""
    servers = ENGINES[request.param]()
    yield servers
    servers.close()


@pytest.fixture
def engine(engine_servers: NatsCluster | RedisCluster) -> str:
    """Of this test alone, by its prefix."""
    return f"{engine_servers.url}?prefix=test-{next(PREFIXES)}"


@pytest.fixture
def start_relay(layer_urls: list[str]) -> Iterator[Callable[..., AwxfastServer]]:
    """Starts awxfast with options of the test's choice on the test's Redis."""
    started: list[AwxfastServer] = []

    def start(*options: str) -> AwxfastServer:
        started.append(AwxfastServer(layer_urls[0], *chosen_form().relay_options(layer_urls), *options))
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
def new_producer(layer_urls: list[str]) -> Iterator[Callable[..., Producer]]:
    """Makes producer processes: `new_producer(producer, count, *options)`."""
    made: list[Producer] = []

    def make(producer: int, count: int, *options: str) -> Producer:
        made.append(Producer(layer_urls, producer, count, *options))
        return made[-1]

    yield make
    for producer in made:
        producer.close()


@pytest.fixture
def start_site(
    redis_server: RedisServer, layer_urls: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Site]]:
    monkeypatch.setenv("EVENTS_SITE_REDIS", " ".join(layer_urls))
    monkeypatch.setenv("EVENTS_SITE_LAYER", LayerForm.chosen)
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
async def producer(layer_urls: list[str]) -> AsyncIterator[Any]:
    """A stock layer in the test's own process."""
    layer = chosen_form().new_layer(layer_urls)
    yield layer
    await close_layer(layer)


def balanced(ledger: dict) -> bool:
    return ledger["balance"] == {"events": 0, "frames": 0}
