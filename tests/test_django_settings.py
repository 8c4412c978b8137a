import importlib.metadata

import pytest
from awxfast.django_settings import find_layer_form


class TestLayerForm:
    @pytest.mark.parametrize(
        ("backend", "form"),
        [
            ("channels_redis.core.RedisChannelLayer", "core"),
            ("awxfast.layer.RedisChannelLayer", "core"),
            ("channels_redis.pubsub.RedisPubSubChannelLayer", "pubsub"),
            ("channels.layers.InMemoryChannelLayer", None),
            ("", None),
        ],
    )
    def test_backend_tells_it(self, backend: str, form: str | None) -> None:
        assert find_layer_form(backend) == form

    def test_core_layer_of_channels_redis_2_is_lists(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importlib.metadata, "version", lambda name: {"channels_redis": "2.4.2"}[name])
        assert find_layer_form("channels_redis.core.RedisChannelLayer") == "lists"
