"""What channels_redis' core layer is told in CHANNEL_LAYERS: its defaults, and the Redis that its `hosts` name."""

import dataclasses
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from awxfast.errors import ConfigurationError
from awxfast.settings import LAYER_DEFAULTS, LAYER_FIELDS, LayerSettings

STOCK = LayerSettings(capacity=100, group_expiry=86_400)
"""What its constructor takes for granted."""

IN_URL = ("db", "username", "password", "ssl_ca_certs")
"""Entries of a host's dictionary that have a place in its URL."""


def read_layer(configuration: Mapping[str, Any], layer: str = STOCK.layer) -> LayerSettings:
    """What the constructor's arguments say, with its own defaults, for a layer of this form."""
    given = {name: configuration[name] for name in LAYER_FIELDS if name in configuration}
    return dataclasses.replace(STOCK, **{"layer": layer, **LAYER_DEFAULTS[layer], **given})


def read_hosts(alias: str, hosts: Any) -> str:
    """The URL of the one host, in any form that channels_redis takes (its `create_pool`).

    Raises `ConfigurationError` for several hosts and for Sentinel; `alias` is whose they are.
    """
    if not hosts:
        return "redis://localhost:6379"
    if isinstance(hosts, str | bytes) or len(hosts) != 1:
        raise ConfigurationError(f"CHANNEL_LAYERS: hosts of {alias} must be a list of one; several are not built yet")
    entry = hosts[0]
    if isinstance(entry, str):
        return entry
    if isinstance(entry, Mapping):
        return read_host_options(alias, entry)
    return _url(*entry)


def read_host_options(alias: str, options: Mapping[str, Any]) -> str:
    """A host given as a dictionary. What merely tunes the client library means nothing here and is left out."""
    if "master_name" in options:
        raise ConfigurationError(f"CHANNEL_LAYERS: Sentinel (hosts of {alias}) is not built yet; name the master")
    address = options.get("address") or _url(options.get("host", "localhost"), options.get("port", 6379))
    if not isinstance(address, str):
        address = _url(*address)
    query = {name: options[name] for name in IN_URL if options.get(name) is not None}
    if "ssl_cert_reqs" in options:
        query["ssl_cert_reqs"] = "none" if options["ssl_cert_reqs"] in (None, "none", ssl.CERT_NONE) else "required"
    if not query:
        return str(address)
    return f"{address}{'&' if '?' in address else '?'}{urlencode(query, quote_via=quote)}"


def _url(host: Any, port: Any) -> str:
    return f"redis://[{host}]:{port}" if ":" in str(host) else f"redis://{host}:{port}"
