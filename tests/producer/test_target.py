"""Which Redis a plain socket can reach, by the layer's `hosts`."""

from typing import Any

import pytest
from awxfast.producer.redis_socket import Target
from awxfast.producer.target import find_target, is_plain


@pytest.mark.parametrize(
    ("hosts", "target"),
    [
        (None, Target(None, "localhost", 6379, None, None, 0)),
        (["redis://:p%40ss@h:7/2"], Target(None, "h", 7, None, "p@ss", 2)),
        (["redis://user:pass@[::1]/"], Target(None, "::1", 6379, "user", "pass", 0)),
        (["unix:///run/redis.sock?db=1"], Target("/run/redis.sock", "localhost", 6379, None, None, 1)),
        ([("h", 7)], Target(None, "h", 7, None, None, 0)),
        ([["h", 7]], Target(None, "h", 7, None, None, 0)),
        ([{"address": "redis://h"}], Target(None, "h", 6379, None, None, 0)),
    ],
)
def test_one_redis_is_found(hosts: Any, target: Target) -> None:
    assert find_target(hosts) == target


@pytest.mark.parametrize(
    "hosts",
    [
        ["redis://a", "redis://b"],
        ["rediss://a"],
        ["redis://a?socket_timeout=3"],
        [{"address": "redis://a", "socket_timeout": 3}],
        [{"host": "a"}],
        [{"master_name": "m", "sentinels": [["a", 1]]}],
        "redis://a",
    ],
)
def test_all_else_is_channels_redis_affair(hosts: Any) -> None:
    assert find_target(hosts) is None


def test_password_is_not_in_the_repr() -> None:
    assert "secret" not in repr(find_target(["redis://user:secret@h"]))


@pytest.mark.parametrize(
    ("options", "plain"),
    [
        ({}, True),
        ({"capacity": 1, "prefix": "p", "serializer_format": "msgpack"}, True),
        ({"serializer_format": "json"}, False),
        ({"symmetric_encryption_keys": ["k"]}, False),
        ({"channel_capacity": {"a": 1}}, False),
    ],
)
def test_options_that_the_script_does_not_know_are_noticed(options: dict[str, Any], plain: bool) -> None:
    assert is_plain(options) is plain
