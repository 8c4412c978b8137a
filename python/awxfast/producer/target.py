"""Which Redis the options of channels_redis name, and whether a plain socket and the script can do all they ask for."""

from collections.abc import Mapping
from typing import Any

from redis.connection import SSLConnection, parse_url

from awxfast.errors import ConfigurationError
from awxfast.producer.redis_socket import Target
from awxfast.wire.layer_options import read_hosts


def is_plain(options: Mapping[str, Any]) -> bool:
    """Whether nothing is asked for that the script does not do."""
    serializer = options.get("serializer_format", "msgpack")
    return serializer == "msgpack" and not (options.get("symmetric_encryption_keys") or options.get("channel_capacity"))


def find_target(hosts: Any) -> Target | None:
    """The one host of channels_redis' option; None for several, TLS, Sentinel and options of the client library."""
    try:
        url = read_hosts("default", hosts)
    except ConfigurationError:
        return None
    entry = hosts[0] if hosts else {}
    has_options = isinstance(entry, Mapping) and bool(entry) and set(entry) != {"address"}
    return None if has_options else read_url(url)


def read_url(url: str) -> Target | None:
    """As redis-py reads it; None for what a plain socket can't do."""
    found = dict(parse_url(url))  # type: ignore[no-untyped-call]
    if found.pop("connection_class", None) is SSLConnection:
        return None
    target = Target(
        found.pop("path", None),
        found.pop("host", "localhost"),
        found.pop("port", 6379),
        found.pop("username", None),
        found.pop("password", None),
        int(found.pop("db", 0)),
    )
    return None if found else target
