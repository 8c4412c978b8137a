"""The way in to one Redis whose place is known: connects, logs in, selects the database, and says why that fails."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable

import hiredis

from awxfast.errors import ConfigurationError, RedisReplyError, RedisUnavailable
from awxfast.late_timeouts import answered_within
from awxfast.redis.address import RedisAddress
from awxfast.redis.commands import Command
from awxfast.redis.connection import REPLY_LIMIT, RedisConnection
from awxfast.redis.connection_failure import CLOSED, describe_failure
from awxfast.redis.credentials import find_credentials
from awxfast.system.whoami import whoami

_NEVER = frozenset({"NOAUTH", "WRONGPASS", "NOPERM", "DENIED", "ERR"})
"""First words of answers to AUTH, SELECT and PING after which another try with the same address is vain."""

OLD_AUTH = "wrong number of arguments for 'auth'"
"""What a Redis before 6.0 says to a name beside the password; redis-py tries the password alone then."""


async def dial(
    address: RedisAddress,
    seconds: float,
    patience: float,
    reply_limit: int = REPLY_LIMIT,
    kind: Callable[[str, float, int], RedisConnection] = RedisConnection,
) -> RedisConnection:
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
        plain = address.url("", tls=False)
        hint = f" (does it speak TLS? if not, {plain})" if address.tls else ""  # a plain Redis waits for a line's end
        raise RedisUnavailable(f"Redis at {address}: no answer within {seconds:g} s{hint}") from None
    return connection


async def _connect(address: RedisAddress, make: Callable[[str], RedisConnection]) -> RedisConnection:
    name = str(address)
    try:
        async with answered_within(address.connect_seconds) if address.connect_seconds else contextlib.nullcontext():
            return await _dial(address, lambda: make(name))
    except ssl.SSLError as error:
        raise ConfigurationError(f"Redis at {name}: {describe_failure(error)}") from error
    except TimeoutError as error:
        raise RedisUnavailable(f"Redis at {name}: not connected within {address.connect_seconds} s") from error
    except OSError as error:
        user = f", as {whoami()}" if address.path is not None else ""
        raise RedisUnavailable(f"Redis at {name}: {describe_failure(error)}{user}") from error
    except UnicodeError as error:  # such as a label of more than 63 letters
        raise ConfigurationError(f"Redis at {name}: no host can have that name") from error


async def _dial(address: RedisAddress, make: Callable[[], RedisConnection]) -> RedisConnection:
    loop = asyncio.get_running_loop()
    if address.path is not None:
        _, connection = await loop.create_unix_connection(make, address.path)
        return connection
    transport, connection = await loop.create_connection(make, address.host, address.port, ssl=address.ssl_context())
    keep_alive(transport.get_extra_info("socket"), address)
    return connection


def keep_alive(sock: socket.socket, address: RedisAddress) -> None:
    """TCP looks after an idle connection, unless the address says otherwise."""
    if address.keepalive is None:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in address.keepalive:
        sock.setsockopt(socket.IPPROTO_TCP, option, value)


async def _log_in(connection: RedisConnection, address: RedisAddress) -> None:
    credentials = await find_credentials(address)
    for words in (credentials, credentials[-1:]):
        replies = await _say_hello(connection, address, words)
        if not wants_password_alone(words, replies[0]):
            break
    for reply in replies:
        if isinstance(reply, RedisReplyError):
            raise _refusal(_name_refusal(reply, credentials), reply.code, address)


async def _say_hello(connection: RedisConnection, address: RedisAddress, credentials: tuple[str, ...]) -> list[object]:
    login: list[Command] = [("AUTH", *credentials)] if credentials else []
    commands: list[Command] = [*login, *list_choices(address), ("PING",)]
    try:
        replies: list[object] = await connection.commands([*commands, *list_courtesies(address)])
    except RedisUnavailable as error:
        raise _explain(error, address) from error
    return replies[: len(commands)]  # before 7.2 Redis does not know the rest


def wants_password_alone(credentials: tuple[str, ...], reply: object) -> bool:
    """Whether a Redis before 6.0 does not know names."""
    return len(credentials) == 2 and isinstance(reply, Exception) and OLD_AUTH in str(reply)


def list_choices(address: RedisAddress) -> list[Command]:
    """What is said behind AUTH: which database is meant, and what the connection is called."""
    commands: list[Command] = [("SELECT", address.db)] if address.db else []
    if address.client_name is not None:
        commands.append(("CLIENT", "SETNAME", address.client_name))
    return commands


def list_courtesies(address: RedisAddress) -> list[Command]:
    """What is said besides, that a Redis before 7.2 does not know."""
    said = {"LIB-NAME": address.lib_name, "LIB-VER": address.lib_version}
    return [("CLIENT", "SETINFO", name, value) for name, value in said.items() if value is not None]


def _explain(error: RedisUnavailable, address: RedisAddress) -> Exception:
    """What ended a connection before it had said anything."""
    if isinstance(error.__cause__, hiredis.ProtocolError):
        return ConfigurationError(f"Redis at {address}: what answers there is not Redis, or wants TLS")
    if isinstance(error.__cause__, ssl.SSLError):
        return ConfigurationError(f"Redis at {address}: {describe_failure(error.__cause__)}")
    if str(error).endswith(CLOSED) and not address.tls and address.path is None:
        return RedisUnavailable(f"{error} (does it want TLS? then {address.url('', tls=True)})")
    return error


def _name_refusal(reply: RedisReplyError, credentials: tuple[str, ...]) -> str:
    """In Redis' own words, which may be long: their first sentence says it. One that knows no AUTH repeats it all."""
    sentence = str(reply).partition(". ")[0].partition(", with args")[0]
    for password in filter(None, credentials[-1:]):
        sentence = sentence.replace(password, "***")
    return sentence


def _refusal(sentence: str, code: str, address: RedisAddress) -> Exception:
    """Why a Redis did not let us in."""
    if code not in _NEVER or "max number of clients" in sentence:
        return RedisUnavailable(f"Redis at {address}: {sentence}")
    if code == "NOAUTH":
        example = address.url(f":PASSWORD@host:port{'' if address.is_of_cluster else '/0'}", tls=False)
        return ConfigurationError(f"Redis at {address}: NOAUTH it wants a password, as in {example}")
    if code == "WRONGPASS" and address.is_of_cluster and address.password is not None:
        hint = f"on every server user {address.username or 'default'} needs this password"
        return ConfigurationError(f"Redis at {address}: {sentence.rstrip('.')} ({hint})")
    if code == "WRONGPASS" and address.username and address.password is None:
        return ConfigurationError(f"Redis at {address}: {sentence} (a password without a user is written :PASSWORD@)")
    if code == "NOPERM" and not address.is_of_cluster:
        user = address.username or "default"
        return ConfigurationError(f"Redis at {address}: {sentence}; ACL SETUSER {user} +ping +select +client|setname")
    return ConfigurationError(f"Redis at {address}: {sentence}")
