"""Which Redis the dialler uses, where AWX's layer says more of it than fits into a URL."""

import pytest
from awxfast.broadcast import node_redis
from awxfast.broadcast.awx_settings import AwxSettings
from awxfast.broadcast.node_redis import find_redis
from awxfast.broadcast.options import DiallerSettings, parse_settings
from awxfast.errors import ConfigurationError
from awxfast.redis.address import RedisAddress

SENTINEL = AwxSettings(hosts=[{"master_name": "m", "sentinels": [("a", 1)]}])


def settings_of(awx: AwxSettings, *words: str) -> DiallerSettings:
    """As the child gets them from main."""
    return DiallerSettings.from_json(parse_settings(words, {}, awx).to_json())


def test_layers_own_dictionary_is_asked_for_where_no_option_names_a_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_redis, "load_awx_settings", lambda: SENTINEL)
    (found,) = find_redis(settings_of(SENTINEL))
    assert found == RedisAddress(master_name="m", sentinels=(RedisAddress(host="a", port=1),))


def test_option_wins() -> None:
    assert [*find_redis(settings_of(SENTINEL, "--redis", "redis://h"))] == [RedisAddress(host="h")]


def test_what_the_layer_can_not_mean_is_named_by_main() -> None:
    with pytest.raises(ConfigurationError, match="hosts of default: hots"):
        settings_of(AwxSettings(hosts=[{"host": "h", "hots": "secret"}]))
