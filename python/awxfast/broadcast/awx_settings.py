"""AWX's own settings as the dialler's defaults, where AWX can be imported (awx/settings/defaults.py)."""

import dataclasses
import importlib.util
import os
from collections.abc import Mapping
from typing import Any

from awxfast.django_settings import find_layer_form
from awxfast.errors import ConfigurationError
from awxfast.redis.address import enclose
from awxfast.wire.encryption_keys import read_configured_keys

ENTRIES = ("expiry", "random_prefix_length", "serializer_format")
"""Of the layer: how long entries last, and how they are written."""

SETTINGS_MODULE = "awx.settings.production"

DJANGOS_OWN = ("assume_role", "isolation_level", "pool", "server_side_binding")
"""Entries of a database's OPTIONS that Django's backend keeps to itself; libpq refuses to know them."""


@dataclasses.dataclass(frozen=True, slots=True)
class AwxSettings:
    """What AWX says. Certificates are verified all the same: its own default is not to (`--no-verify-cert`).

    `redis` are URLs; empty where the layer's `hosts` say more than fits into them.
    """

    name: str = ""
    port: int | None = None
    protocol: str = ""
    redis: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    hosts: Any = dataclasses.field(default=None, repr=False)
    layer: str = ""
    prefix: str | None = None
    capacity: int | None = None
    group_expiry: int | None = None
    expiry: int | None = None
    random_prefix_length: int | None = None
    serializer_format: str = ""
    postgres: str = dataclasses.field(default="", repr=False)
    secret: str = dataclasses.field(default="", repr=False)
    encryption_keys: tuple[bytes, ...] = dataclasses.field(default=(), repr=False)
    backplane_group: str = ""

    def values(self) -> dict[str, Any]:
        """Those that are options, by their fields; what AWX does not say is absent."""
        names = (
            "name",
            "port",
            "protocol",
            "redis",
            "layer",
            "prefix",
            "capacity",
            "group_expiry",
            *ENTRIES,
            "postgres",
        )
        return {name: value for name in names if (value := getattr(self, name)) not in (None, "", ())}


def load_awx_settings() -> AwxSettings:
    """AWX's settings; empty ones where there is no AWX. Raises `ConfigurationError` when they can't be loaded."""
    if importlib.util.find_spec("awx") is None:
        return AwxSettings()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS_MODULE)
    try:
        from django.conf import settings

        return read_django_settings(settings)
    except Exception as error:  # settings are code, and may raise whatever they like
        raise ConfigurationError(f"AWX's settings can't be loaded: {type(error).__name__}: {error}") from error


def read_django_settings(settings: Any) -> AwxSettings:
    """From an object like Django's settings."""
    entry = getattr(settings, "CHANNEL_LAYERS", {}).get("default", {})
    layer = entry.get("CONFIG", {})
    return AwxSettings(
        name=getattr(settings, "CLUSTER_HOST_ID", ""),
        port=getattr(settings, "BROADCAST_WEBSOCKET_PORT", None),
        protocol=getattr(settings, "BROADCAST_WEBSOCKET_PROTOCOL", ""),
        redis=find_urls(layer.get("hosts")) if layer.get("hosts") else find_broker(settings),
        hosts=layer.get("hosts"),
        layer=find_layer_form(str(entry.get("BACKEND", ""))) or "",
        prefix=layer.get("prefix"),
        capacity=layer.get("capacity"),
        group_expiry=layer.get("group_expiry"),
        expiry=layer.get("expiry"),
        random_prefix_length=layer.get("random_prefix_length"),
        serializer_format=layer.get("serializer_format", ""),
        encryption_keys=read_configured_keys("default", layer),
        postgres=make_dsn(read_database(settings)),
        secret=getattr(settings, "BROADCAST_WEBSOCKET_SECRET", ""),
        backplane_group=getattr(settings, "BROADCAST_WEBSOCKET_GROUP_NAME", ""),
    )


def find_broker(settings: Any) -> tuple[str, ...]:
    """Where AWX has its Redis for all else."""
    url = getattr(settings, "BROKER_URL", "")
    return (url,) if url else ()


def find_urls(hosts: Any) -> tuple[str, ...]:
    """The URLs of the layer's `hosts`; empty where one has options of its own."""
    urls = tuple(map(find_url, hosts)) if isinstance(hosts, list | tuple) else ()
    return urls if all(urls) else ()


def find_url(entry: Any) -> str:
    """The URL of one; empty for one that has options of its own."""
    if isinstance(entry, Mapping) and set(entry) == {"address"}:
        entry = entry["address"]
    if isinstance(entry, list | tuple) and len(entry) == 2:
        return f"redis://{enclose(str(entry[0]))}:{entry[1]}"
    return entry if isinstance(entry, str) else ""


def read_database(settings: Any) -> Mapping[str, Any]:
    """The database as AWX's listeners see it: LISTENER_DATABASES (24.1 on) names only what differs."""
    usual = getattr(settings, "DATABASES", {}).get("default", {})
    listener = getattr(settings, "LISTENER_DATABASES", {}).get("default", {})
    return {**usual, **listener, "OPTIONS": {**usual.get("OPTIONS", {}), **listener.get("OPTIONS", {})}}


def make_dsn(database: Mapping[str, Any]) -> str:
    """libpq's connection string (its documentation, 34.1.1) from an entry of Django's DATABASES, if it is for libpq.

    AWX has an engine of its own around Django's.
    """
    engine = str(database.get("ENGINE", ""))
    if not engine or any(other in engine for other in ("sqlite", "mysql", "oracle", "dummy")):
        return ""
    fields = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    values = {name: database[key] for key, name in fields.items() if database.get(key)}
    options = database.get("OPTIONS", {}).items()
    values |= {key: value for key, value in options if key not in DJANGOS_OWN and isinstance(value, str | int)}
    return " ".join(f"{name}={quote(str(value))}" for name, value in values.items())


def quote(value: str) -> str:
    """A value as libpq reads it in a connection string."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
