"""The client of the engine that a URL names, and what channels are called there."""

from awxfast.engine.address import EngineAddress
from awxfast.engine.carrier import Carrier, ChannelNames
from awxfast.engine.nats_channels import NatsChannels
from awxfast.errors import ConfigurationError

Opened = tuple[Carrier, ChannelNames]
"""A client of an engine, and how groups are named there."""


def open_carrier(url: str) -> Opened:
    """Not started yet. Raises `ConfigurationError` for a URL that can't be obeyed, or a client not installed."""
    address = EngineAddress.parse(url)
    return _open_redis_cluster(address) if address.kind == "redis-cluster" else _open_nats(address)


def _open_redis_cluster(address: EngineAddress) -> Opened:
    """It brings all of redis-py along, some 8 MiB: processes without an engine do without."""
    from awxfast.engine.redis_cluster import RedisChannels, RedisClusterCarrier

    return RedisClusterCarrier(address), RedisChannels(address.prefix)


def _open_nats(address: EngineAddress) -> Opened:
    """nats-py is in an extra: sites without NATS have no use for it."""
    try:
        from awxfast.engine.nats_carrier import NatsCarrier
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("nats", "nkeys", "nacl"):
            raise
        raise ConfigurationError("--engine: NATS needs nats-py and nkeys: pip install 'awxfast[nats]'") from error
    return NatsCarrier(address), NatsChannels(address.prefix)
