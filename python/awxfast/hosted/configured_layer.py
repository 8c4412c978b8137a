"""What the application's CHANNEL_LAYERS says about the layer that awxfast can stand for."""

import dataclasses
import importlib.util
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from awxfast.django_settings import (
    CORE_BACKEND,
    PRODUCERS_BACKEND,
    PUBSUB_BACKEND,
    find_django_setting,
    find_layer_form,
)
from awxfast.errors import ConfigurationError
from awxfast.redis.address import RedisAddress
from awxfast.redis.client_library import describe_sentinel
from awxfast.redis.hosts import read_hosts
from awxfast.settings import LAYER_FIELDS, Settings
from awxfast.wire.encryption_keys import SETTING, read_configured_keys
from awxfast.wire.entry_bodies import find_own_serializer
from awxfast.wire.layer_options import read_layer

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class StockLayer:
    """One alias whose layer is the stock one: its constructor's arguments, and its Redis servers."""

    alias: str
    configuration: Mapping[str, Any] = dataclasses.field(repr=False)
    addresses: tuple[RedisAddress, ...]
    layer: str = "core"
    """Its form, as in `LayerSettings`."""
    keys: tuple[bytes, ...] = dataclasses.field(default=(), repr=False)

    def settings(self, settings: Settings) -> Settings:
        """The server's settings with this layer's, but for those that options gave."""
        values = dataclasses.asdict(read_layer(self.configuration, self.layer))
        return dataclasses.replace(settings, **{k: v for k, v in values.items() if k not in settings.layer_options})

    def find_addresses(self, settings: Settings) -> tuple[RedisAddress, ...]:
        """The layer's servers, or those that options gave in their place."""
        if "redis" not in settings.layer_options:
            return self.addresses
        return tuple(map(RedisAddress.parse, settings.redis))

    def arguments(self, settings: Settings, keys: Sequence[bytes] = ()) -> dict[str, Any]:
        """The stock constructor's arguments, with what options gave in their place, and with these keys."""
        given = {name: getattr(settings, name) for name in LAYER_FIELDS if name in settings.layer_options}
        hosts = {"hosts": [as_host(url) for url in settings.redis]} if "redis" in settings.layer_options else {}
        return {**self.configuration, **given, **hosts, **({SETTING: list(keys)} if keys else {})}


def refuse_without_cryptography(keys: Sequence[bytes]) -> None:
    """channels_redis' own code, which encrypts what the application sends, needs it. Raises `ConfigurationError`."""
    if keys and importlib.util.find_spec("cryptography") is None:
        raise ConfigurationError("an encrypted channel layer needs cryptography: install channels_redis[cryptography]")


def as_host(url: str) -> str | dict[str, Any]:
    """The same Redis as channels_redis takes it."""
    address = RedisAddress.parse(url)
    return describe_sentinel(address) if address.master_name else url


def find_stock_layer() -> StockLayer | None:
    """The application's stock layer, if Django's settings name one: `default`, else the first.

    Others stay what they are, and the log says so. Raises `ConfigurationError` for what is not built yet.
    """
    found = [alias for alias, entry in configured_layers().items() if is_stock(alias, entry)]
    found.sort(key=lambda alias: alias != "default")
    for alias in found[1:]:
        log.warning("CHANNEL_LAYERS: %s keeps channels_redis' own layer: only one is replaced yet, %s", alias, found[0])
    return read_stock_layer(found[0], configured_layers()[found[0]]) if found else None


def configured_layers() -> Mapping[str, Any]:
    """CHANNEL_LAYERS of an application that has Django's settings; empty for any other."""
    layers: Mapping[str, Any] = find_django_setting("CHANNEL_LAYERS") or {}
    return layers


def is_stock(alias: str, entry: Mapping[str, Any]) -> bool:
    """Whether it is exactly a layer of channels_redis, or our producers' form of one; a subclass may do anything."""
    from django.utils.module_loading import import_string

    if (serializer := find_own_serializer(entry.get("CONFIG") or {})) is not None:
        log.warning("CHANNEL_LAYERS: %s stays as it is: its serializer %s is the application's own", alias, serializer)
        return False
    if find_layer_form(str(entry.get("BACKEND"))) == "lists":
        log.warning("CHANNEL_LAYERS: %s stays as it is: that of channels_redis 2 is not replaced; use 3 or 4", alias)
        return False
    if entry.get("BACKEND") == PRODUCERS_BACKEND:
        return True
    try:
        backend = import_string(entry["BACKEND"])
        stock = import_string(PUBSUB_BACKEND if entry["BACKEND"] == PUBSUB_BACKEND else CORE_BACKEND)
    except (ImportError, KeyError):
        return False  # Channels says what is wrong as soon as somebody asks for it
    if backend is not stock:
        log.warning("CHANNEL_LAYERS: %s stays as it is: %s is not %s", alias, entry["BACKEND"], CORE_BACKEND)
    return backend is stock


def read_stock_layer(alias: str, entry: Mapping[str, Any]) -> StockLayer:
    """Reads one entry of CHANNEL_LAYERS. Raises `ConfigurationError`, which repeats no value: it may be a secret."""
    configuration = dict(entry.get("CONFIG") or {})
    layer = find_layer_form(str(entry.get("BACKEND"))) or Settings.layer
    addresses = read_hosts(alias, configuration.get("hosts"))
    return StockLayer(alias, configuration, addresses, layer, read_configured_keys(alias, configuration))
