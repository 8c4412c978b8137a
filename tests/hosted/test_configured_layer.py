"""What CHANNEL_LAYERS says, as Django and channels_redis read it."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from awxfast.django_settings import CORE_BACKEND, PRODUCERS_BACKEND, PUBSUB_BACKEND
from awxfast.errors import ConfigurationError
from awxfast.hosted.configured_layer import find_stock_layer, read_stock_layer, refuse_without_cryptography
from awxfast.redis.address import RedisAddress
from awxfast.settings import Settings
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer
from channels_redis.serializers import JSONSerializer, registry
from django.test import override_settings

Configure = Callable[..., None]


class OtherPubSubLayer(RedisPubSubChannelLayer):  # type: ignore[misc]
    """It may do anything."""


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


class TestVersion2:
    @pytest.mark.parametrize("backend", [CORE_BACKEND, PRODUCERS_BACKEND])
    def test_layer_whose_queues_are_lists_stays_and_is_named(
        self,
        configure: Configure,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
        backend: str,
    ) -> None:
        monkeypatch.setattr("importlib.metadata.version", lambda _: "2.4.2")
        configure(default={"BACKEND": backend})
        assert find_stock_layer() is None
        assert caplog.messages == [
            "CHANNEL_LAYERS: default stays as it is: that of channels_redis 2 is not replaced; use 3 or 4"
        ]


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


class TestPubSub:
    def test_it_is_found_with_what_it_has_of_settings(self, configure: Configure) -> None:
        configure(default={"BACKEND": PUBSUB_BACKEND, "CONFIG": {"prefix": "p"}})
        found = find_stock_layer()
        assert found is not None
        settings = found.settings(Settings())
        assert (settings.layer, settings.prefix) == ("pubsub", "p")
        assert settings.capacity == 10_000, "its constructor has none"

    def test_subclass_stays(self, configure: Configure, caplog: pytest.LogCaptureFixture) -> None:
        configure(default={"BACKEND": f"{__name__}.OtherPubSubLayer"})
        assert find_stock_layer() is None
        assert "OtherPubSubLayer" in caplog.text


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

    def test_sentinel_by_option_is_given_to_channels_redis_as_a_dictionary(self) -> None:
        given = Settings(redis=("redis+sentinel://a:1/m/2",), layer_options=("redis",))
        layer = read_stock_layer("default", stock(hosts=["redis://h"]))
        assert layer.find_addresses(given)[0].master_name == "m"
        assert layer.arguments(given) == {
            "hosts": [{"master_name": "m", "sentinels": [("a", 1)], "sentinel_kwargs": {}, "db": 2}]
        }

    def test_no_password_is_in_its_repr(self) -> None:
        assert "pass" not in repr(read_stock_layer("default", stock(hosts=["redis://:pass@h"])))


class TestEntries:
    def test_keys_are_read_and_never_printed(self) -> None:
        layer = read_stock_layer(
            "default", stock(symmetric_encryption_keys=["sesame", b"old"], serializer_format="json")
        )
        assert layer.keys == (b"sesame", b"old")
        assert "sesame" not in repr(layer)
        assert layer.settings(Settings()).serializer_format == "json"

    def test_keys_of_files_take_the_place_of_the_layers(self) -> None:
        layer = read_stock_layer("default", stock(symmetric_encryption_keys=["old"]))
        assert layer.arguments(Settings())["symmetric_encryption_keys"] == ["old"]
        assert layer.arguments(Settings(), (b"new",))["symmetric_encryption_keys"] == [b"new"]

    def test_layer_with_a_serializer_of_its_own_stays_and_is_named(
        self, configure: Configure, caplog: pytest.LogCaptureFixture
    ) -> None:
        registry.register_serializer("site", JSONSerializer)
        configure(default=stock(serializer_format="site"))
        assert find_stock_layer() is None
        assert [record.getMessage() for record in caplog.records] == [
            "CHANNEL_LAYERS: default stays as it is: its serializer site is the application's own"
        ]

    def test_stock_serializer_that_was_registered_anew_stays_too(
        self, configure: Configure, caplog: pytest.LogCaptureFixture
    ) -> None:
        registry.register_serializer("json", type("Own", (JSONSerializer,), {}))
        try:
            configure(default=stock(serializer_format="json"), other=stock())
            found = find_stock_layer()
        finally:
            registry.register_serializer("json", JSONSerializer)
        assert found is not None
        assert found.alias == "other"

    def test_encrypted_layer_without_cryptography_is_refused_in_words(self, monkeypatch: pytest.MonkeyPatch) -> None:
        refuse_without_cryptography([b"key"])
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        refuse_without_cryptography([])
        with pytest.raises(ConfigurationError, match=r"install channels_redis\[cryptography\]"):
            refuse_without_cryptography([b"key"])


class TestNotBuilt:
    @pytest.mark.parametrize(
        "configuration",
        [
            {"hosts": "redis://secret"},
            {"hosts": [{"host": "secret", "hots": "secret"}]},
            {"symmetric_encryption_keys": "secret"},
        ],
    )
    def test_what_is_not_built_is_refused_in_one_line_without_values(self, configuration: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError) as error:
            read_stock_layer("default", stock(**configuration))
        assert str(error.value).startswith("CHANNEL_LAYERS: ")
        assert "secret" not in str(error.value)
        assert "\n" not in str(error.value)
