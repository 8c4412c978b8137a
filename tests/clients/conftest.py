"""The Django site under awxfast, for clients that other people have written."""

import shutil
from collections.abc import Iterator

import pytest
from environments import NEWEST, find_python
from parity.hosts import HostingServer
from redis_servers import RedisServer
from site_process import Site


@pytest.fixture(scope="session")
def server() -> Iterator[HostingServer]:
    redis = RedisServer()
    site = Site([redis.url], find_python(NEWEST))
    one = site.serve("awxfast", "--grace", "1")
    yield one
    one.close()
    redis.close()
    shutil.rmtree(site.folder)
