"""Whether a plain socket and the script can do all that options of channels_redis ask for, and the Redis they name."""

from collections.abc import Mapping
from typing import Any

from awxfast.errors import ConfigurationError
from awxfast.redis.address import RedisAddress
from awxfast.redis.hosts import read_hosts


def is_plain(options: Mapping[str, Any]) -> bool:
    """Whether nothing is asked for that the script does not do."""
    serializer = options.get("serializer_format", "msgpack")
    return serializer == "msgpack" and not (options.get("symmetric_encryption_keys") or options.get("channel_capacity"))


def find_address(hosts: Any) -> RedisAddress | None:
    """The one host of channels_redis' option; None for several, TLS, Sentinel and options of the client library."""
    entry = hosts[0] if hosts else {}
    if isinstance(entry, Mapping) and entry and set(entry) != {"address"}:
        return None
    try:
        addresses = read_hosts("default", hosts)
    except ConfigurationError:
        return None
    return addresses[0] if len(addresses) == 1 and is_plain_address(addresses[0]) else None


def is_plain_address(address: RedisAddress) -> bool:
    """Whether it says where a Redis is and how to log in, and nothing else."""
    said = {name: getattr(address, name) for name in ("host", "port", "path", "username", "password", "db")}
    return address == RedisAddress(**said)
