"""The Redis servers that channels_redis' option `hosts` names, in every form that its `create_pool` takes."""

from collections.abc import Mapping
from typing import Any

from awxfast.errors import ConfigurationError
from awxfast.redis.address import RedisAddress
from awxfast.redis.url import SENTINEL_SCHEMES, options_in_url
from awxfast.redis.wrong_option import WrongOption


def read_hosts(alias: str, hosts: Any) -> tuple[RedisAddress, ...]:
    """One address for each entry, in their order; localhost where there are none.

    Raises `ConfigurationError`, which repeats no value: it may be a secret. `alias`: the layer whose hosts they are.
    """
    if not hosts:
        return (RedisAddress(),)
    if isinstance(hosts, str | bytes) or not isinstance(hosts, list | tuple):
        raise ConfigurationError(f"CHANNEL_LAYERS: hosts of {alias} must be a list")
    try:
        return tuple(RedisAddress.from_options(read_entry(entry)) for entry in hosts)
    except WrongOption as error:
        raise ConfigurationError(f"CHANNEL_LAYERS: hosts of {alias}: {error}") from error


def read_entry(entry: Any) -> Mapping[str, Any]:
    """One entry's options: of a URL, a pair of host and port, or a dictionary. Raises `WrongOption`."""
    if isinstance(entry, str):
        return read_url(entry)
    if isinstance(entry, Mapping):
        rest = {name: value for name, value in entry.items() if name != "address"}
        return {**rest, **read_entry(entry["address"])} if entry.get("address") is not None else rest
    if isinstance(entry, list | tuple) and len(entry) == 2:
        return {"host": entry[0], "port": entry[1]}
    raise WrongOption("each is a URL, a pair of host and port, or a dictionary")


def read_url(url: str) -> Mapping[str, Any]:
    """What a URL says wins over what stands beside it, as in redis-py. Raises `WrongOption`."""
    if url.partition(":")[0] in SENTINEL_SCHEMES:
        raise WrongOption("channels_redis knows no URL of Sentinel: give master_name and sentinels in a dictionary")
    return options_in_url(url)
