"""Django's settings of an application that has some: nothing is imported that it did not import itself."""

import importlib.metadata
import sys
from typing import Any

CORE_BACKEND = "channels_redis.core.RedisChannelLayer"
PRODUCERS_BACKEND = "awxfast.layer.RedisChannelLayer"
"""The core layer's bytes, written faster."""
PUBSUB_BACKEND = "channels_redis.pubsub.RedisPubSubChannelLayer"


def find_django_setting(name: str) -> Any:
    """A setting of an application that has Django's settings; None if it is not there."""
    django_conf = sys.modules.get("django.conf")
    if django_conf is None or not django_conf.settings.configured:
        return None
    return getattr(django_conf.settings, name, None)


def find_layer_form(backend: str) -> str | None:
    """The form (`LayerSettings.layer`) of a BACKEND of CHANNEL_LAYERS; None for one that is none of channels_redis'."""
    if backend == PUBSUB_BACKEND:
        return "pubsub"
    if backend in (CORE_BACKEND, PRODUCERS_BACKEND):
        return "lists" if is_channels_redis_2() else "core"
    return None


def is_channels_redis_2() -> bool:
    """Whether the core layer that is installed keeps queues in lists, as it did before version 3."""
    try:
        return importlib.metadata.version("channels_redis").startswith("2.")
    except importlib.metadata.PackageNotFoundError:
        return False
