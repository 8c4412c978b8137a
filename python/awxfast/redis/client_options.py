"""The options of one host as redis-py has them: each is obeyed, has no effect here by its nature, or is refused.

docs/redis.md has the same tables for operators.
"""

import codecs
import os
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from awxfast.redis.option_values import (
    is_unicode,
    read_flag,
    read_host,
    read_number,
    read_seconds,
    read_text,
    read_whole,
)
from awxfast.redis.tls import TLS_NAMES, TlsOptions, read_tls
from awxfast.redis.wrong_option import WrongOption

MAX_SOCKET_PATH = 107
"""Bytes that fit into `sockaddr_un` (unix(7)), without the closing zero."""

MOST_CONNECTIONS = 4
"""Of one process to one Redis: events, registrations, what other nodes send, and one that looks at the start."""

Reader = Callable[[str, Any], Any]


def read_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a `RedisAddress` that they stand for; what is None counts as not said. Raises `WrongOption`."""
    given = {name: value for name, value in options.items() if value is not None and name not in TLS_NAMES}
    kind = read_connection_class(given.pop("connection_class", None))
    fields: dict[str, Any] = {}
    for name, value in given.items():
        if name in OBEYED:
            field, read = OBEYED[name]
            fields[field] = read(name, value)
        elif name in WITHOUT_EFFECT:
            WITHOUT_EFFECT[name](name, value)
        elif name not in TOGETHER:
            raise WrongOption(f"{name}: {REFUSED.get(name, 'there is no such option of a Redis connection')}")
    fields |= read_keepalive(given)
    check_place(fields, kind)
    check_login(fields)
    tls = read_security(options, kind, is_unix="path" in fields)
    return {**fields, "tls": tls} if tls is not None else fields


def read_security(options: Mapping[str, Any], kind: str, *, is_unix: bool) -> TlsOptions | None:
    """TLS where the scheme, the class of connections or the option `ssl` asks for it."""
    asked = options.get("ssl") or False
    own = asked if isinstance(asked, ssl.SSLContext) else None
    wants_tls = kind == "SSLConnection" or own is not None or read_flag("ssl", asked)
    said = [name for name in options if name in TLS_NAMES and options[name] not in (None, False)]
    if wants_tls and is_unix:
        raise WrongOption("there is no TLS on a unix socket")
    if not wants_tls:
        if said:
            raise WrongOption(f"{said[0]} needs TLS: rediss://, or the class SSLConnection")
        return None
    if own is not None:
        return TlsOptions(own=own)
    return read_tls({name: options[name] for name in options if name in TLS_NAMES})


def read_connection_class(value: Any) -> str:
    """The name of one of redis-py's own; any other may do anything."""
    if value is None:
        return ""
    name, module = getattr(value, "__name__", ""), getattr(value, "__module__", "")
    if module in ("redis.asyncio.connection", "redis.asyncio.sentinel") and name in CONNECTION_CLASSES:
        return CONNECTION_CLASSES[name]
    raise WrongOption(f"connection_class is one of redis.asyncio's {', '.join(CONNECTION_CLASSES)}")


def check_place(fields: Mapping[str, Any], kind: str) -> None:
    """Whether it is a port or a socket file, and not something of both."""
    has_port = "host" in fields or "port" in fields
    if kind == "UnixDomainSocketConnection" and "path" not in fields:
        raise WrongOption("connection_class UnixDomainSocketConnection needs a path")
    if "path" in fields and (has_port or kind not in ("", "UnixDomainSocketConnection")):
        raise WrongOption("path is for unix sockets, which have no host, port and other class of connections")


def check_login(fields: Mapping[str, Any]) -> None:
    """redis-py takes a provider or a password, never both."""
    if "credential_provider" in fields and (fields.get("username") or fields.get("password")):
        raise WrongOption("credential_provider stands beside username or password; leave one out")


def read_keepalive(given: Mapping[str, Any]) -> dict[str, Any]:
    """Two options that say one thing: socket options with their values; None: no keepalive."""
    if not read_flag("socket_keepalive", given.get("socket_keepalive", True)):
        return {"keepalive": None}
    if "socket_keepalive_options" not in given:
        return {}
    options = given["socket_keepalive_options"]
    if not isinstance(options, Mapping) or not all(type(part) is int for pair in options.items() for part in pair):
        raise WrongOption("socket_keepalive_options has numbers of TCP's options and their values")
    return {"keepalive": tuple(options.items())}


def read_port(name: str, value: Any) -> int:
    """One that a server can have."""
    return read_whole(name, value, 1, 65_535)


def read_db(name: str, value: Any) -> int:
    """A number; Redis says whether there are so many."""
    try:
        return read_whole(name, value, 0, 999_999_999)
    except WrongOption as error:
        raise WrongOption("the database is a number, as in redis://host:6379/1 or ?db=1") from error


def read_socket_path(name: str, value: Any) -> str:
    """One that the kernel takes."""
    path = os.fspath(value) if isinstance(value, Path) else value
    if not isinstance(path, str) or not 0 < len(encode_path(path)) <= MAX_SOCKET_PATH or "\0" in path:
        raise WrongOption(f"a unix socket's {name} has at most {MAX_SOCKET_PATH} bytes, none of them 0")
    return path


def encode_path(path: str) -> bytes:
    """As the kernel gets it; nothing where it can't be written."""
    try:
        return os.fsencode(path)
    except UnicodeEncodeError:
        return b""


def read_secret(name: str, value: Any) -> str | None:
    """A password or a name; an empty one is none."""
    if not isinstance(value, str) or not is_unicode(value):
        raise WrongOption(f"{name} is a text")
    return value or None


def read_provider(name: str, value: Any) -> Any:
    """Something that has credentials."""
    if callable(getattr(value, "get_credentials", None)) or callable(getattr(value, "get_credentials_async", None)):
        return value
    raise WrongOption(f"{name} has no get_credentials")


def take(name: str, value: Any) -> None:
    """Accepts it, whatever it is."""


def check_protocol(name: str, value: Any) -> None:
    """What is written into the queues is the same in both."""
    read_whole(name, value, 2, 3)


def check_most_connections(name: str, value: Any) -> None:
    """As many as are opened here."""
    if (read_whole(name, value, 0, 2**31) or MOST_CONNECTIONS) < MOST_CONNECTIONS:
        raise WrongOption(f"{name}: awxfast opens up to {MOST_CONNECTIONS} a process; give at least that")


def check_interval(name: str, value: Any) -> None:
    """A number; Redis is asked each second anyway."""
    if read_number(name, value) < 0:
        raise WrongOption(f"{name} is a number of seconds")


def check_encoding(name: str, value: Any) -> None:
    """Whether names are written in UTF-8."""
    try:
        is_utf8 = codecs.lookup(value).name == "utf-8"
    except (LookupError, TypeError):
        is_utf8 = False
    if not is_utf8:
        raise WrongOption(f"{name} of a channel layer is utf-8")


def check_decoding(name: str, value: Any) -> None:
    """Messages are bytes; channels_redis itself fails otherwise."""
    if read_flag(name, value):
        raise WrongOption(f"{name}: the layer's messages are bytes; leave it out")


def check_encoder(name: str, value: Any) -> None:
    """Another might change keys."""
    if getattr(value, "__module__", "") != "redis._parsers.encoders":
        raise WrongOption(f"{name} other than redis-py's own is not built; leave it out")


CONNECTION_CLASSES = {
    "Connection": "Connection",
    "SSLConnection": "SSLConnection",
    "UnixDomainSocketConnection": "UnixDomainSocketConnection",
    "SentinelManagedConnection": "Connection",
    "SentinelManagedSSLConnection": "SSLConnection",
}
"""Of redis-py, and what each is here."""

OBEYED: Mapping[str, tuple[str, Reader]] = {
    "host": ("host", read_host),
    "port": ("port", read_port),
    "path": ("path", read_socket_path),
    "db": ("db", read_db),
    "username": ("username", read_secret),
    "password": ("password", read_secret),
    "credential_provider": ("credential_provider", read_provider),
    "client_name": ("client_name", read_text),
    "lib_name": ("lib_name", read_text),
    "lib_version": ("lib_version", read_text),
    "socket_connect_timeout": ("connect_seconds", read_seconds),
    "timeout": ("connect_seconds", read_seconds),
    "socket_timeout": ("answer_seconds", read_seconds),
}
"""By their field of `RedisAddress`; `timeout` is aioredis' word for the first of the two."""

TOGETHER = ("ssl", "socket_keepalive", "socket_keepalive_options")
"""Obeyed too, but read with others."""

WITHOUT_EFFECT: Mapping[str, Reader] = {
    "retry": take,
    "retry_on_timeout": take,
    "retry_on_error": take,
    "parser_class": take,
    "socket_read_size": take,
    "socket_type": take,
    "legacy_responses": take,
    "encoding_errors": take,
    "maint_notifications_config": take,
    "check_connection": take,
    "single_connection_client": take,
    "auto_close_connection_pool": take,
    "health_check_interval": check_interval,
    "max_connections": check_most_connections,
    "protocol": check_protocol,
    "encoding": check_encoding,
    "decode_responses": check_decoding,
    "encoder_class": check_encoder,
}
"""They tune the client library, which is not in the way here; where a value would change more, it is refused."""

REFUSED = {
    "unix_socket_path": "channels_redis does not take it either; write unix:///path, or path with its connection_class",
    "redis_connect_func": "code of the site's own at each connection is not built; leave it out",
    "driver_info": "not built; give lib_name and lib_version",
    "event_dispatcher": "nothing of redis-py happens here that it could be told; leave it out",
    "is_master": "the layer is written to, which only a master takes; leave it out",
    "queue_class": "it belongs to another pool than channels_redis'; leave it out",
}
"""Known, and can't be obeyed."""

NAMES = frozenset((*OBEYED, *TOGETHER, *WITHOUT_EFFECT, *REFUSED, *TLS_NAMES))
"""All that is known."""
