"""The site under daphne, awxfast, and awxfast with a layer that it leaves alone, on two ages of Channels."""

import shutil
from collections.abc import Iterator

import pytest
from environments import ENVIRONMENTS, find_python
from layer_forms import chosen_form
from parity.hosts import KINDS, HostingServer
from redis_servers import RedisServer
from site_process import Site

OWN_OPTIONS = {"daphne": [], "awxfast": ["--grace", "1"]}
OWN_LAYERS = {
    "channels_redis.core.RedisChannelLayer": "project.layers.OwnCoreLayer",
    "channels_redis.pubsub.RedisPubSubChannelLayer": "project.layers.OwnPubSubLayer",
}


@pytest.fixture(scope="session")
def site_redis() -> Iterator[list[str]]:
    """Where the Redis of the layer are."""
    servers = [RedisServer() for _ in range(chosen_form().servers)]
    yield [server.url for server in servers]
    for server in servers:
        server.close()


@pytest.fixture(scope="session", params=ENVIRONMENTS)
def site(site_redis: list[str], request: pytest.FixtureRequest) -> Iterator[Site]:
    one = Site(site_redis, find_python(request.param))
    yield one
    shutil.rmtree(one.folder)


@pytest.fixture(scope="session", params=[*KINDS, "awxfast, own layer"])
def server(site: Site, request: pytest.FixtureRequest) -> Iterator[HostingServer]:
    """With the options of AWX's own command line."""
    kind, _, own_layer = request.param.partition(", ")
    layer = OWN_LAYERS[chosen_form().backend] if own_layer else chosen_form().backend
    options = ["--websocket_timeout", "-1", "--application-close-timeout", "1", *OWN_OPTIONS[kind]]
    one = site.serve(kind, *options, SITE_LAYER=layer)
    yield one
    if kind == "daphne":
        one.process.kill()  # it waits for views that block
    one.close()
