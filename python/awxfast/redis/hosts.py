"""The Redis servers that channels_redis' option `hosts` names, in every form that its `create_pool` takes."""

import dataclasses
import ssl
from collections.abc import Mapping
from typing import Any

from awxfast.errors import ConfigurationError
from awxfast.redis.address import RedisAddress


def read_hosts(alias: str, hosts: Any) -> tuple[RedisAddress, ...]:
    """One address for each entry, in their order; localhost where there are none.

    Raises `ConfigurationError`, which repeats no value: it may be a secret. `alias`: the layer whose hosts they are.
    """
    if not hosts:
        return (RedisAddress(),)
    if isinstance(hosts, str | bytes) or not isinstance(hosts, list | tuple):
        raise ConfigurationError(f"CHANNEL_LAYERS: hosts of {alias} must be a list")
    return tuple(read_host(alias, entry) for entry in hosts)


def read_host(alias: str, entry: Any) -> RedisAddress:
    """One entry: a URL, a pair of host and port, or a dictionary."""
    if isinstance(entry, str):
        return RedisAddress.parse(entry)
    if isinstance(entry, Mapping):
        return read_host_options(alias, entry)
    host, port = entry
    return RedisAddress(host=host, port=port)


def read_host_options(alias: str, options: Mapping[str, Any]) -> RedisAddress:
    """A host given as a dictionary. What merely tunes the client library means nothing here and is left out."""
    if "master_name" in options:
        raise ConfigurationError(f"CHANNEL_LAYERS: Sentinel (hosts of {alias}) is not built yet; name the master")
    address = read_host(alias, options.get("address") or (options.get("host", "localhost"), options.get("port", 6379)))
    changes = {name: options[name] for name in ("username", "password", "db") if options.get(name) is not None}
    if options.get("ssl_ca_certs") is not None:
        changes["ca_file"] = options["ssl_ca_certs"]
    if "ssl_cert_reqs" in options:
        changes["verify"] = options["ssl_cert_reqs"] not in (None, "none", ssl.CERT_NONE)
    return dataclasses.replace(address, **changes)
