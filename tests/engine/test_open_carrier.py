"""The client of an engine by its address."""

import pytest
from awxfast.engine.address import EngineAddress
from awxfast.engine.open_carrier import name_channels, open_carrier
from awxfast.engine.redis_cluster import RedisClusterCarrier


def test_cluster_of_redis_has_its_carrier() -> None:
    assert isinstance(open_carrier(EngineAddress.parse("redis-cluster://a:1,b:2")), RedisClusterCarrier)


@pytest.mark.parametrize("group", ["metrics", "job_events-17", "a..b", "group:x"])
def test_channel_of_a_group_in_redis_tells_the_group(group: str) -> None:
    names = name_channels(EngineAddress.parse("redis-cluster://a?prefix=site"))
    assert names.of(group) == f"site:group:{group}"
    assert names.group(names.of(group)) == group
    assert names.wants == "site:wants"
