"""What CHANNEL_LAYERS says, as Django and channels_redis read it."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from awxfast.django_settings import CORE_BACKEND
from awxfast.errors import ConfigurationError
from awxfast.hosted.configured_layer import find_stock_layer, read_stock_layer
from awxfast.redis.address import RedisAddress
from awxfast.settings import Settings
from channels_redis.core import RedisChannelLayer
from django.test import override_settings

Configure = Callable[..., None]


class OtherLayer(RedisChannelLayer):
    """A site's own subclass."""


@pytest.fixture
def configure(django_settings: None) -> Iterator[Configure]:
    """Sets CHANNEL_LAYERS for the rest of the test."""
    overrides: list[Any] = []

    def set_layers(**layers: Any) -> None:
        overrides.append(override_settings(CHANNEL_LAYERS=layers))
        overrides[-1].enable()

    yield set_layers
    for override in reversed(overrides):
        override.disable()


def stock(**configuration: Any) -> dict[str, Any]:
    return {"BACKEND": CORE_BACKEND, "CONFIG": configuration}


class TestAlias:
    def test_default_alias_is_found(self, configure: Configure) -> None:
        configure(default=stock(hosts=["redis://h:1/2"]))
        found = find_stock_layer()
        assert found is not None
        assert (found.alias, found.addresses) == ("default", (RedisAddress(host="h", port=1, db=2),))

    def test_default_comes_before_others_and_they_are_named(
        self, configure: Configure, caplog: pytest.LogCaptureFixture
    ) -> None:
        configure(events=stock(hosts=["redis://events"]), default=stock())
        found = find_stock_layer()
        assert found is not None
        assert found.alias == "default"
        assert [record.getMessage() for record in caplog.records] == [
            "CHANNEL_LAYERS: events keeps channels_redis' own layer: only one is replaced yet, default"
        ]

    @pytest.mark.parametrize(
        "backend",
        [
            "channels.layers.InMemoryChannelLayer",
            "channels_redis.pubsub.RedisPubSubChannelLayer",
            f"{__name__}.OtherLayer",
        ],
    )
    def test_any_other_class_stays_and_is_named(
        self, configure: Configure, caplog: pytest.LogCaptureFixture, backend: str
    ) -> None:
        configure(default={"BACKEND": backend})
        assert find_stock_layer() is None
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert backend in caplog.text

    @pytest.mark.parametrize("entry", [{}, {"BACKEND": "no.such.Layer"}])
    def test_what_channels_will_refuse_is_left_to_it(self, configure: Configure, entry: dict[str, Any]) -> None:
        configure(default=entry)
        assert find_stock_layer() is None

    def test_site_without_layers_has_none(self, configure: Configure) -> None:
        configure()
        assert find_stock_layer() is None


class TestSettings:
    def test_stock_defaults_hold_where_nothing_is_said(self) -> None:
        layer = read_stock_layer("default", stock())
        assert layer.find_addresses(Settings()) == (RedisAddress(),)
        settings = layer.settings(Settings())
        assert (settings.prefix, settings.capacity, settings.expiry) == ("asgi", 100, 60)
        assert (settings.group_expiry, settings.random_prefix_length) == (86_400, 12)

    def test_awx_settings_are_taken_over(self) -> None:
        layer = read_stock_layer(
            "default", stock(hosts=["unix:///var/run/redis/redis.sock?db=1"], capacity=10_000, group_expiry=157_784_760)
        )
        settings = layer.settings(Settings())
        assert layer.find_addresses(settings)[0].path == "/var/run/redis/redis.sock"
        assert (settings.capacity, settings.group_expiry) == (10_000, 157_784_760)

    def test_options_win(self) -> None:
        layer = read_stock_layer(
            "default", stock(hosts=["redis://h"], prefix="site", capacity=5, channel_capacity={"a": 1})
        )
        given = Settings(redis=("redis://other",), prefix="mine", layer_options=("redis", "prefix"))
        settings = layer.settings(given)
        assert layer.find_addresses(settings) == (RedisAddress(host="other"),)
        assert (settings.prefix, settings.capacity) == ("mine", 5)
        assert layer.arguments(settings) == {
            "hosts": ["redis://other"],
            "prefix": "mine",
            "capacity": 5,
            "channel_capacity": {"a": 1},
        }

    def test_arguments_are_the_sites_own_without_options(self) -> None:
        layer = read_stock_layer("default", stock(hosts=[("h", 1)], capacity=5))
        assert layer.arguments(layer.settings(Settings())) == {"hosts": [("h", 1)], "capacity": 5}

    def test_no_password_is_in_its_repr(self) -> None:
        assert "pass" not in repr(read_stock_layer("default", stock(hosts=["redis://:pass@h"])))


class TestNotBuilt:
    @pytest.mark.parametrize(
        "configuration",
        [
            {"hosts": "redis://secret"},
            {"hosts": ["redis://secret", "redis://b"]},
            {"hosts": [{"host": "secret", "hots": "secret"}]},
            {"symmetric_encryption_keys": ["secret"]},
            {"serializer_format": "json"},
        ],
    )
    def test_what_is_not_built_is_refused_in_one_line_without_values(self, configuration: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError) as error:
            read_stock_layer("default", stock(**configuration))
        assert str(error.value).startswith("CHANNEL_LAYERS: ")
        assert "secret" not in str(error.value)
        assert "\n" not in str(error.value)
