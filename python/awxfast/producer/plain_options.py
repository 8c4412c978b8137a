"""Whether a plain socket and the script can do all that options of channels_redis ask for, and the Redis they name."""

from collections.abc import Mapping, Sequence
from typing import Any

from awxfast.errors import ConfigurationError
from awxfast.redis.address import RedisAddress
from awxfast.redis.hosts import read_hosts
from awxfast.wire.entry_bodies import find_own_serializer


def is_plain(options: Mapping[str, Any]) -> bool:
    """Whether nothing is asked for that the scripts do not do."""
    return find_own_serializer(options) is None and not options.get("channel_capacity")


def find_addresses(hosts: Any) -> Sequence[RedisAddress]:
    """All hosts of channels_redis' option; empty if one of them has TLS, Sentinel or options of the client library."""
    entries = hosts if isinstance(hosts, list | tuple) else ()
    if any(isinstance(entry, Mapping) and entry and set(entry) != {"address"} for entry in entries):
        return ()
    try:
        addresses = read_hosts("default", hosts)
    except ConfigurationError:
        return ()
    return addresses if all(map(is_plain_address, addresses)) else ()


def is_plain_address(address: RedisAddress) -> bool:
    """Whether it says where a Redis is and how to log in, and nothing else."""
    said = {name: getattr(address, name) for name in ("host", "port", "path", "username", "password", "db")}
    return address == RedisAddress(**said)
