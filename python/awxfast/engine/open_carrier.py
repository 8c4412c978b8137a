"""The client of the engine that a URL names."""

from awxfast.engine.address import EngineAddress
from awxfast.engine.carrier import Carrier
from awxfast.errors import ConfigurationError


def open_carrier(url: str) -> Carrier:
    """Not started yet. Raises `ConfigurationError` for a URL that can't be obeyed, or a client not installed."""
    address = EngineAddress.parse(url)
    return _open_redis_cluster(address) if address.kind == "redis-cluster" else _open_nats(address)


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
