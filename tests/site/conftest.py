"""The site runs under daphne, under awxfast, and under awxfast with a layer that it leaves alone."""

import shutil
from collections.abc import Iterator

import pytest
from parity.hosts import KINDS, HostingServer
from redis_servers import RedisServer
from site_process import Site


@pytest.fixture(scope="session")
def site_redis() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def site(site_redis: RedisServer) -> Iterator[Site]:
    one = Site(site_redis.url)
    yield one
    shutil.rmtree(one.folder)


@pytest.fixture(scope="session", params=[*KINDS, "awxfast, own layer"])
def server(site: Site, request: pytest.FixtureRequest) -> Iterator[HostingServer]:
    """With the options of AWX's own command line."""
    kind, _, own_layer = request.param.partition(", ")
    layer = "project.layers.OwnLayer" if own_layer else "channels_redis.core.RedisChannelLayer"
    one = site.serve(kind, "--websocket_timeout", "-1", "--application-close-timeout", "1", SITE_LAYER=layer)
    yield one
    one.close()
