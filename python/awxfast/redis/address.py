"""Where a Redis is and how to get in, read from a URL as redis-py reads it."""

import dataclasses
import ssl
from collections.abc import Mapping
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlencode, urlsplit

from awxfast.errors import ConfigurationError

MAX_SOCKET_PATH = 107
"""Bytes that fit into `sockaddr_un` (unix(7)), without the closing zero."""

_QUERY_OPTIONS = ("db", "username", "password", "ssl_cert_reqs", "ssl_ca_certs")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RedisAddress:
    """One Redis. `path` is set for a unix socket, `host` and `port` otherwise; text and repr tell no password."""

    host: str = "localhost"
    port: int = 6379
    path: str | None = None
    username: str | None = dataclasses.field(default=None, repr=False)
    password: str | None = dataclasses.field(default=None, repr=False)
    db: int = 0
    tls: bool = False
    verify: bool = True
    ca_file: str | None = None

    @classmethod
    def parse(cls, url: str) -> "RedisAddress":
        """Reads `redis://`, `rediss://` and `unix://` URLs.

        Raises `ConfigurationError`. Its text never repeats a part of the URL: with an unescaped `/` or `?` in the
        password, any part may be a piece of it.
        """
        try:
            parts = urlsplit(url)
            query = _read_query(parts.query)
            if parts.fragment:
                raise ValueError("a # outside of the password means nothing in a Redis URL")
            if parts.scheme == "unix":
                return _from_unix(parts, query)
            if parts.scheme in ("redis", "rediss"):
                return _from_tcp(parts, query)
        except ConfigurationError:
            raise
        except ValueError as error:
            raise ConfigurationError(
                "Redis URL: the host or port is not readable; escape /, ?, # and @ of a password with %"
            ) from error
        raise ConfigurationError("Redis URL: it must begin with redis://, rediss:// or unix:///")

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix://{self.path}" + (f"?db={self.db}" if self.db else "")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'rediss' if self.tls else 'redis'}://{host}:{self.port}/{self.db}"

    def to_url(self) -> str:
        """All of it as `parse` reads it, the password too."""
        query: dict[str, str | int] = {
            **({"username": self.username} if self.username is not None else {}),
            **({"password": self.password} if self.password is not None else {}),
            **({"ssl_cert_reqs": "none"} if not self.verify else {}),
            **({"ssl_ca_certs": self.ca_file} if self.ca_file is not None else {}),
            **({"db": self.db} if self.path is not None and self.db else {}),
        }
        where = f"unix://{quote(self.path)}" if self.path is not None else str(self)
        return f"{where}?{urlencode(query, quote_via=quote)}" if query else where

    def ssl_context(self) -> ssl.SSLContext | None:
        """For `rediss://`, else None. Raises `ConfigurationError` when the CA file is not readable."""
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise ConfigurationError(f"Redis URL: ssl_ca_certs={self.ca_file} is not a readable PEM file") from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _read_query(text: str) -> dict[str, str]:
    query = parse_qs(text, keep_blank_values=True, strict_parsing=bool(text))
    if not query.keys() <= set(_QUERY_OPTIONS) or any(len(values) > 1 for values in query.values()):
        raise ConfigurationError(f"Redis URL: after the ? only {', '.join(_QUERY_OPTIONS)} are known, each once")
    return {key: values[0] for key, values in query.items()}


def _from_unix(parts: SplitResult, query: Mapping[str, str]) -> RedisAddress:
    path = unquote(parts.path)
    if parts.hostname or not path.startswith("/") or path == "/":
        raise ConfigurationError("Redis URL: a unix socket is written with three slashes, unix:///path/to/redis.sock")
    if len(path.encode()) > MAX_SOCKET_PATH or "\0" in path:
        raise ConfigurationError(f"Redis URL: a unix socket's path has at most {MAX_SOCKET_PATH} bytes, none of them 0")
    if "ssl_cert_reqs" in query or "ssl_ca_certs" in query:
        raise ConfigurationError("Redis URL: there is no TLS on a unix socket")
    username, password = _read_credentials(parts, query)
    return RedisAddress(path=path, db=_read_db(query.get("db", "0")), username=username, password=password)


def _from_tcp(parts: SplitResult, query: Mapping[str, str]) -> RedisAddress:
    tls = parts.scheme == "rediss"
    if not tls and ("ssl_cert_reqs" in query or "ssl_ca_certs" in query):
        raise ConfigurationError("Redis URL: ssl_cert_reqs and ssl_ca_certs need rediss://")
    if query.get("ssl_cert_reqs", "required") not in ("required", "none"):
        raise ConfigurationError("Redis URL: ssl_cert_reqs is required or none")
    port = parts.port
    if port == 0:
        raise ConfigurationError("Redis URL: port 0 is not one that a Redis can have")
    username, password = _read_credentials(parts, query)
    return RedisAddress(
        host=unquote(parts.hostname or "localhost"),
        port=port or 6379,
        username=username,
        password=password,
        db=_read_db(query.get("db", parts.path.strip("/") or "0")),
        tls=tls,
        verify=query.get("ssl_cert_reqs") != "none",
        ca_file=query.get("ssl_ca_certs"),
    )


def _read_credentials(parts: SplitResult, query: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Name and password from before the `@`, or from the query, which wins (redis-py's rule)."""
    username = query.get("username") or unquote(parts.username or "") or None
    password = query.get("password") or unquote(parts.password or "") or None
    return username, password


def _read_db(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ConfigurationError("Redis URL: the database is a number, as in redis://host:6379/1 or ?db=1")
    return int(text)
