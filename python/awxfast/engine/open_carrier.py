"""The client of the engine that an address names, and what channels are called there."""

from awxfast.engine.address import EngineAddress
from awxfast.engine.carrier import Carrier, ChannelNames
from awxfast.engine.nats_channels import NatsChannels
from awxfast.errors import ConfigurationError


def open_carrier(address: EngineAddress) -> Carrier:
    """Not started yet. Raises `ConfigurationError` for options that can't be obeyed, or a client not installed."""
    return _open_redis_cluster(address) if address.kind == "redis-cluster" else _open_nats(address)


def name_channels(address: EngineAddress) -> ChannelNames:
    """How groups are named in that engine, under the address' prefix."""
    if address.kind != "redis-cluster":
        return NatsChannels(address.prefix)
    from awxfast.engine.redis_cluster import RedisChannels

    return RedisChannels(address.prefix)


def _open_redis_cluster(address: EngineAddress) -> Carrier:
    """It brings all of redis-py along, some 8 MiB: processes without an engine do without."""
    from awxfast.engine.redis_cluster import RedisClusterCarrier

    return RedisClusterCarrier(address)


def _open_nats(address: EngineAddress) -> Carrier:
    """nats-py is in an extra: sites without NATS have no use for it."""
    try:
        from awxfast.engine.nats_carrier import NatsCarrier
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("nats", "nkeys", "nacl"):
            raise
        raise ConfigurationError("--engine: NATS needs nats-py and nkeys: pip install 'awxfast[nats]'") from error
    return NatsCarrier(address)
