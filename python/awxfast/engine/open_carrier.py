"""The client of the engine that an address names, and what channels are called there."""

from awxfast.engine.address import EngineAddress
from awxfast.engine.carrier import Carrier, ChannelNames
from awxfast.engine.redis_cluster import RedisChannels, RedisClusterCarrier
from awxfast.errors import ConfigurationError


def open_carrier(address: EngineAddress) -> Carrier:
    """Not started yet. Raises `ConfigurationError` for options that can't be obeyed, or a client not installed."""
    if address.kind == "redis-cluster":
        return RedisClusterCarrier(address)
    raise _refuse_kind(address)


def name_channels(address: EngineAddress) -> ChannelNames:
    """How groups are named in that engine, under the address' prefix."""
    if address.kind == "redis-cluster":
        return RedisChannels(address.prefix)
    raise _refuse_kind(address)


def _refuse_kind(address: EngineAddress) -> ConfigurationError:
    return ConfigurationError(f"--engine: {address.kind} is not built")
