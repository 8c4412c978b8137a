"""Which Redis a plain socket can reach, by the layer's `hosts`."""

from typing import Any

import pytest
from awxfast.producer.plain_options import find_addresses, is_plain
from awxfast.redis.address import RedisAddress


@pytest.mark.parametrize(
    ("hosts", "address"),
    [
        (None, RedisAddress()),
        (["redis://:p%40ss@h:7/2"], RedisAddress(host="h", port=7, password="p@ss", db=2)),
        (["redis://user:pass@[::1]/"], RedisAddress(host="::1", username="user", password="pass")),
        (["unix:///run/redis.sock?db=1"], RedisAddress(path="/run/redis.sock", db=1)),
        ([("h", 7)], RedisAddress(host="h", port=7)),
        ([["h", 7]], RedisAddress(host="h", port=7)),
        ([{"address": "redis://h"}], RedisAddress(host="h")),
    ],
)
def test_one_redis_is_found(hosts: Any, address: RedisAddress) -> None:
    assert [*find_addresses(hosts)] == [address]


def test_several_are_found_in_their_order() -> None:
    assert [*find_addresses(["redis://a", "redis://b"])] == [RedisAddress(host="a"), RedisAddress(host="b")]


@pytest.mark.parametrize(
    "hosts",
    [
        ["rediss://a"],
        ["redis://a", "rediss://b"],
        ["redis://a?socket_timeout=3"],
        [{"address": "redis://a", "socket_timeout": 3}],
        [{"host": "a"}],
        [{"master_name": "m", "sentinels": [["a", 1]]}],
        "redis://a",
    ],
)
def test_all_else_is_channels_redis_affair(hosts: Any) -> None:
    assert not find_addresses(hosts)


def test_password_is_not_in_the_repr() -> None:
    assert "secret" not in repr(find_addresses(["redis://user:secret@h"]))


@pytest.mark.parametrize(
    ("options", "plain"),
    [
        ({}, True),
        ({"capacity": 1, "prefix": "p", "serializer_format": "msgpack"}, True),
        ({"serializer_format": "json"}, True),
        ({"symmetric_encryption_keys": ["k"]}, True),
        ({"serializer_format": "site"}, False),
        ({"channel_capacity": {"a": 1}}, False),
    ],
)
def test_options_that_the_script_does_not_know_are_noticed(options: dict[str, Any], plain: bool) -> None:
    assert is_plain(options) is plain
