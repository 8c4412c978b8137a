"""Which Redis the options of channels_redis name, and whether a plain socket and the script can do all they ask for."""

from collections.abc import Mapping
from typing import Any

from redis.connection import SSLConnection, parse_url

from awxfast.producer.redis_socket import Target


def is_plain(options: Mapping[str, Any]) -> bool:
    """Whether nothing is asked for that the script does not do."""
    serializer = options.get("serializer_format", "msgpack")
    return serializer == "msgpack" and not (options.get("symmetric_encryption_keys") or options.get("channel_capacity"))


def find_target(hosts: Any) -> Target | None:
    """The one host of channels_redis' option (channel-layer.md, section 9); None for several, TLS and options."""
    if not hosts:
        return Target(None, "localhost", 6379, None, None, 0)
    if isinstance(hosts, str | bytes) or len(hosts) != 1:
        return None
    entry = hosts[0]
    if isinstance(entry, Mapping):
        entry = entry.get("address") if set(entry) == {"address"} else None
    if isinstance(entry, str):
        return read_url(entry)
    if isinstance(entry, tuple | list) and len(entry) == 2:
        return Target(None, str(entry[0]), int(entry[1]), None, None, 0)
    return None


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
