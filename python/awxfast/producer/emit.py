"""AWX's message from plain synchronous code, over connections that the process keeps."""

import functools
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from awxfast.django_settings import find_layer_form
from awxfast.errors import ConfigurationError
from awxfast.producer.full_queues import FullQueues
from awxfast.producer.host_sends import HostSends
from awxfast.producer.kept_sockets import KeptSockets
from awxfast.producer.layer_variables import read_layer_variables
from awxfast.producer.plain_options import is_plain
from awxfast.redis.address import RedisAddress
from awxfast.redis.hosts import read_hosts
from awxfast.redis.url import options_in_url
from awxfast.settings import LAYERS, LayerSettings
from awxfast.wire.encryption_keys import SETTING, read_configured_keys, read_key_files
from awxfast.wire.entry_bodies import make_entry_format, pack_whole
from awxfast.wire.group_channels import group_channel
from awxfast.wire.group_send import EVENT_TYPE
from awxfast.wire.groups import is_valid_group
from awxfast.wire.host_choice import choose_host
from awxfast.wire.layer_options import read_layer

KEY_FILES_VARIABLE = "AWXFAST_ENCRYPTION_KEY_FILE"
"""As the server has it."""


def emit(group: str, payload: Any, needs_relay: bool = True) -> None:
    """Sends `payload` to the browsers of `group`, and with `needs_relay` to those of other nodes.

    A text goes out as it is, anything else as JSON, which Django's encoder writes where there is a Django. Redis is
    that of Django's CHANNEL_LAYERS, else of `AWXFAST_REDIS`, whose layer is as the server's variables have it
    (`AWXFAST_LAYER`, `AWXFAST_PREFIX`, `AWXFAST_ENCRYPTION_KEY_FILE` and so on). Raises `TypeError` for a wrong group
    name, `ConfigurationError` without a Redis or for what can't be used of it, `ConnectionError` when it does not
    answer, and `hiredis.ReplyError` when it refuses.
    """
    if not is_valid_group(group):
        raise TypeError(f"a group name has 1 to 99 letters, digits, '-', '_' and '.': {group[:120]!r}")
    text = payload if isinstance(payload, str) else to_json(payload)
    message = {"type": EVENT_TYPE, "text": text, **({"needs_relay": True} if needs_relay else {})}
    find_sender().send(group, message)


class Sender:
    """Sends to one Redis or several, by the options of a `CHANNEL_LAYERS` entry."""

    def __init__(self, options: dict[str, Any], layer: str = LayerSettings.layer) -> None:
        """`layer`: the form of the layer."""
        addresses = find_addresses(options)
        settings = read_layer(options, layer)
        entry_format = make_entry_format(settings, read_configured_keys("default", options))
        self._sends = HostSends(settings, entry_format, addresses)
        self.full = FullQueues()

    def send(self, group: str, message: dict[str, Any]) -> None:
        """Sends one message, in one round trip or two."""
        full, queues = self._sends.send(group, message)
        if full:
            self.full.count(group, full, queues)

    def close(self) -> None:
        """Closes the connections that are idle."""
        self._sends.close()


class PubSubSender:
    """The same for a layer that stores nothing: who is not subscribed gets nothing."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._hosts = [KeptSockets(address) for address in find_addresses(options)]
        self._layer = read_layer(options, "pubsub")
        self._format = make_entry_format(self._layer, read_configured_keys("default", options))

    def send(self, group: str, message: dict[str, Any]) -> None:
        """Sends one message, in one round trip."""
        channel = group_channel(self._layer.prefix, group)
        hosts = self._hosts
        hosts[choose_host(channel, len(hosts))].ask("PUBLISH", channel, pack_whole(self._format, message, None))

    def close(self) -> None:
        """Closes the connections that are idle."""
        for kept in self._hosts:
            kept.close()


@functools.cache
def find_sender() -> Sender | PubSubSender:
    """The process's. What it reads does not change while a program runs."""
    options, layer = find_options()
    return PubSubSender(options) if layer == "pubsub" else Sender(options, layer)


def find_addresses(options: dict[str, Any]) -> Sequence[RedisAddress]:
    """Raises `ConfigurationError` for a wrong one, and for what only channels_redis' own code can do."""
    if not is_plain(options):
        raise ConfigurationError("awxfast.emit knows no capacities by name and no own serializers; use the layer")
    return read_hosts("default", options.get("hosts"))


def find_options() -> tuple[dict[str, Any], str]:
    """Of the layer `default` of Django's settings if there is one; else what `AWXFAST_REDIS` names.

    And the layer's form.
    """
    conf = sys.modules.get("django.conf")
    layers = getattr(conf.settings, "CHANNEL_LAYERS", None) if conf is not None and is_configured(conf) else None
    if layers and "default" in layers:
        entry = layers["default"]
        return dict(entry.get("CONFIG") or {}), read_form(find_layer_form(str(entry.get("BACKEND"))))
    if urls := os.environ.get("AWXFAST_REDIS", "").split():
        layer = read_form(os.environ.get("AWXFAST_LAYER"))
        keys = read_key_files(os.environ.get(KEY_FILES_VARIABLE, "").split())
        return {**read_layer_variables(os.environ, layer), "hosts": read_urls(urls), SETTING: keys}, layer
    raise ConfigurationError("awxfast.emit: set AWXFAST_REDIS to the URL of the Redis that the server reads")


def read_urls(urls: Sequence[str]) -> Sequence[dict[str, Any]]:
    """As entries of `hosts`, where a URL can't name sentinels."""
    for url in urls:
        RedisAddress.parse(url)  # whose errors speak of a URL
    return [options_in_url(url) for url in urls]


def read_form(layer: str | None) -> str:
    """The form of a layer; raises `ConfigurationError` for one that can't be written to here."""
    layer = layer or LayerSettings.layer
    if layer not in LAYERS:
        raise ConfigurationError(f"awxfast.emit does not write to the layer {layer}; use {' or '.join(LAYERS)}")
    return layer


def is_configured(conf: Any) -> bool:
    """Whether Django has settings, or knows where they are."""
    return bool(conf.settings.configured or os.environ.get("DJANGO_SETTINGS_MODULE"))


def to_json(payload: Any) -> str:
    """As AWX writes its own events: Django's encoder knows dates, decimals and UUIDs."""
    if "django" not in sys.modules:
        return json.dumps(payload)
    from django.core.serializers.json import DjangoJSONEncoder

    return json.dumps(payload, cls=DjangoJSONEncoder)
