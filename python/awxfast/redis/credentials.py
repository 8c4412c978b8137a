"""Name and password for one connection, from an address or from whoever the site lets know them."""

import asyncio
import threading
from typing import Any

from awxfast.errors import ConfigurationError, RedisUnavailable
from awxfast.redis.address import RedisAddress
from awxfast.redis.option_values import is_unicode

_one_at_a_time = threading.Lock()
"""Providers are written for one event loop, whose calls never overlap."""


async def find_credentials(address: RedisAddress) -> tuple[str, ...]:
    """What follows AUTH: nothing, a password, or a name and a password.

    A provider is asked each time, since what it gave before may have expired. Raises `RedisUnavailable` when it fails,
    `ConfigurationError` for what it gives.
    """
    if address.credential_provider is not None:
        return check_credentials(address, await ask_provider(address))
    return read_credentials(address)


def find_credentials_blocking(address: RedisAddress) -> tuple[str, ...]:
    """The same in code that may block, where no loop runs that could wait for a provider's coroutine."""
    if address.credential_provider is None:
        return read_credentials(address)
    try:
        given = ask_blocking(address.credential_provider)
    except Exception as error:
        raise describe_provider(address, error) from error
    return check_credentials(address, given)


def read_credentials(address: RedisAddress) -> tuple[str, ...]:
    """Those that the address itself says."""
    if address.username is not None:
        return (address.username, address.password or "")
    return (address.password,) if address.password is not None else ()


async def ask_provider(address: RedisAddress) -> Any:
    """Its coroutine where it has one of its own; what may block runs beside the loop."""
    provider = address.credential_provider
    try:
        if has_coroutine(provider):
            return await provider.get_credentials_async()
        return await asyncio.to_thread(ask_blocking, provider)
    except Exception as error:
        raise describe_provider(address, error) from error


def describe_provider(address: RedisAddress, error: Exception) -> RedisUnavailable:
    """Without the text of an error of the site's code, which may hold what that has found."""
    return RedisUnavailable(f"Redis at {address}: credential_provider raised {type(error).__name__}")


def has_coroutine(provider: Any) -> bool:
    """Whether it does not merely inherit redis-py's, which calls the other one and logs a warning."""
    method = getattr(type(provider), "get_credentials_async", None)
    return method is not None and getattr(method, "__module__", "") != "redis.credentials"


def ask_blocking(provider: Any) -> Any:
    """In a thread that may wait."""
    with _one_at_a_time:
        return provider.get_credentials()


def check_credentials(address: RedisAddress, given: Any) -> tuple[str, ...]:
    """Whether they are what redis-py wants of a provider."""
    parts = tuple(given) if isinstance(given, list | tuple) else ()
    if len(parts) not in (1, 2) or not all(isinstance(part, str) and is_unicode(part) for part in parts):
        raise ConfigurationError(
            f"Redis at {address}: credential_provider gives neither (password,) nor (name, password)"
        )
    return parts
