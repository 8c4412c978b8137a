"""How each server of a cluster is connected to, by what the engine's address says."""

import dataclasses

from awxfast.engine.address import EngineAddress, HostPort
from awxfast.errors import ConfigurationError
from awxfast.redis.address import RedisAddress
from awxfast.redis.tls import TLS_NAMES
from awxfast.redis.wrong_option import WrongOption

OF_THE_PLACE = ("host", "port", "path", "db", "ssl", "connection_class")
"""Options of a Redis URL that say which server it is, and which database: a cluster has one, and says where its are."""


def read_access(address: EngineAddress) -> RedisAddress:
    """Name, password and TLS for each server. Raises `ConfigurationError`, which names the option."""
    options = dict(address.options)
    if said := [name for name in OF_THE_PLACE if name in options]:
        raise ConfigurationError(f"--engine: {said[0]} means nothing behind the ? of a cluster")
    if not address.tls and (said := sorted(TLS_NAMES & options.keys())):
        raise ConfigurationError(f"--engine: {said[0]} needs TLS: rediss-cluster://")
    login = {"username": address.username, "password": address.password}
    tls = {"ssl": True} if address.tls else {}
    try:
        access = RedisAddress.from_options({**options, **login, **tls, "host": address.servers[0][0]})
        access.ssl_context()
    except WrongOption as error:
        raise ConfigurationError(f"--engine: {error}") from error
    except ConfigurationError as error:
        raise ConfigurationError(f"--engine: {error}") from error
    return dataclasses.replace(access, is_of_cluster=True)


def at(access: RedisAddress, where: HostPort) -> RedisAddress:
    """The same for one of the servers."""
    return dataclasses.replace(access, host=where[0], port=where[1])
