"""An address as channels_redis takes it in `hosts`, for what its own code goes on doing."""

import dataclasses
from typing import Any

from awxfast.redis.address import RedisAddress
from awxfast.redis.tls import TlsOptions

NAMES = {
    "username": "username",
    "password": "password",
    "credential_provider": "credential_provider",
    "client_name": "client_name",
    "connect_seconds": "socket_connect_timeout",
    "answer_seconds": "socket_timeout",
}
"""Fields of an address, and what redis-py calls them."""


def describe_sentinel(address: RedisAddress) -> dict[str, Any]:
    """The dictionary of a master that Sentinel names: no URL of channels_redis' does."""
    first = address.sentinels[0]
    return {
        "master_name": address.master_name,
        "sentinels": [(one.host, one.port) for one in address.sentinels],
        "sentinel_kwargs": describe_connection(first),
        **describe_connection(address),
    }


def describe_connection(address: RedisAddress) -> dict[str, Any]:
    """All but the place."""
    said = {name: value for field, name in NAMES.items() if (value := getattr(address, field)) is not None}
    return {**said, **({"db": address.db} if address.db else {}), **describe_tls(address.tls)}


def describe_tls(tls: TlsOptions | None) -> dict[str, Any]:
    """Those that are not redis-py's defaults."""
    if tls is None:
        return {}
    given = {field.name: getattr(tls, field.name) for field in dataclasses.fields(tls) if field.name != "own"}
    plain = TlsOptions()
    return {"ssl": True, **{f"ssl_{name}": value for name, value in given.items() if value != getattr(plain, name)}}
