"""The way in to Redis: connects, logs in, selects the database; and what an operator is told when that fails."""

import asyncio
import ssl
from collections.abc import Callable
from typing import TypeVar

import hiredis

from awxfast.errors import ConfigurationError, RedisReplyError, RedisUnavailable
from awxfast.late_timeouts import answered_within
from awxfast.redis.address import RedisAddress
from awxfast.redis.commands import Argument
from awxfast.redis.connection import REPLY_LIMIT, RedisConnection
from awxfast.redis.connection_failure import describe_failure
from awxfast.system.whoami import whoami

C = TypeVar("C", bound=RedisConnection)

_NEVER = frozenset({"NOAUTH", "WRONGPASS", "NOPERM", "DENIED", "ERR"})
"""First words of answers to AUTH, SELECT and PING after which another try with the same URL is vain."""


async def open_connection(
    address: RedisAddress,
    seconds: float = 5.0,
    patience: float = 5.0,
    reply_limit: int = REPLY_LIMIT,
    kind: type[C] = RedisConnection,  # type: ignore[assignment]  # PEP 696 would say that it is C's default
) -> C:
    """Connects, logs in and selects the database, all within `seconds`.

    Raises `RedisUnavailable` when another try may help, `ConfigurationError` when it can't: a wrong password,
    database or certificate, or something there that is no Redis.
    """
    try:
        async with answered_within(seconds):
            connection = await _connect(address, lambda name: kind(name, patience, reply_limit))
            try:
                await _log_in(connection, address)
            except BaseException:
                connection.close()
                raise
    except TimeoutError:
        hint = " (does it speak TLS? if not, redis://)" if address.tls else ""  # a plain Redis waits for a line's end
        raise RedisUnavailable(f"Redis at {address}: no answer within {seconds:g} s{hint}") from None
    return connection


async def _connect(address: RedisAddress, make: Callable[[str], C]) -> C:
    name = str(address)
    try:
        return await _dial(address, lambda: make(name))
    except ssl.SSLCertVerificationError as error:
        raise ConfigurationError(f"Redis at {name}: its certificate is refused: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise ConfigurationError(f"Redis at {name}: what listens there does not speak TLS as we do") from error
    except OSError as error:
        raise RedisUnavailable(f"Redis at {name}: {describe_failure(error)}, as {whoami()}") from error


async def _dial(address: RedisAddress, make: Callable[[], C]) -> C:
    loop = asyncio.get_running_loop()
    if address.path is not None:
        _, connection = await loop.create_unix_connection(make, address.path)
    else:
        _, connection = await loop.create_connection(make, address.host, address.port, ssl=address.ssl_context())
    return connection


async def _log_in(connection: RedisConnection, address: RedisAddress) -> None:
    commands: list[tuple[Argument, ...]] = [("PING",)]
    if address.db:
        commands.insert(0, ("SELECT", address.db))
    if address.username is not None:
        commands.insert(0, ("AUTH", address.username, address.password or ""))
    elif address.password is not None:
        commands.insert(0, ("AUTH", address.password))
    try:
        replies = await connection.commands(commands)
    except RedisUnavailable as error:
        if isinstance(error.__cause__, hiredis.ProtocolError):
            raise ConfigurationError(f"Redis at {address}: what answers there is not Redis, or wants TLS") from error
        raise
    for reply in replies:
        if isinstance(reply, RedisReplyError):
            raise _refusal(reply, address)


def _refusal(reply: RedisReplyError, address: RedisAddress) -> Exception:
    """Why a Redis did not let us in. Its own words may be long; their first sentence says it."""
    sentence = str(reply).partition(". ")[0]
    if reply.code not in _NEVER or "max number of clients" in sentence:
        return RedisUnavailable(f"Redis at {address}: {sentence}")
    if reply.code == "NOAUTH":
        return ConfigurationError(f"Redis at {address}: it wants a password, as in redis://:PASSWORD@host:port/0")
    return ConfigurationError(f"Redis at {address}: {sentence}")
