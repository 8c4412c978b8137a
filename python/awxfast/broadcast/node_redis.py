"""The node's own Redis, by what options say or AWX's settings."""

from collections.abc import Sequence

from awxfast.broadcast.awx_settings import load_awx_settings
from awxfast.broadcast.options import DiallerSettings
from awxfast.redis.address import RedisAddress
from awxfast.redis.hosts import read_hosts


def find_redis(settings: DiallerSettings) -> Sequence[RedisAddress]:
    """One, or all of a layer's. Raises `ConfigurationError`.

    Each process asks AWX anew for what is no URL: not all of it can be passed on.
    """
    if settings.redis:
        return [*map(RedisAddress.parse, settings.redis)]
    return read_hosts("default", load_awx_settings().hosts)
