"""Where an engine is, and how to get in: what `--engine` says.

redis-cluster://user:password@host:port,host:port?prefix=site      rediss-cluster://...      nats://host:port,host:port
"""

import dataclasses
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

from awxfast.errors import ConfigurationError
from awxfast.printable import escape
from awxfast.redis.address import enclose

SCHEMES: Mapping[str, tuple[str, bool, int]] = {
    "redis-cluster": ("redis-cluster", False, 6379),
    "rediss-cluster": ("redis-cluster", True, 6379),
    "nats": ("nats", False, 4222),
    "tls": ("nats", True, 4222),
}
"""Kind of engine, whether TLS is asked for, and the port that its servers take for granted. `tls` is NATS' own word."""

DEFAULT_PREFIX = "awxfast"

HostPort = tuple[str, int]
"""Host and port of a server."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EngineAddress:
    """Servers to begin with; text and repr tell no password."""

    kind: str
    tls: bool
    servers: tuple[HostPort, ...]
    username: str | None = dataclasses.field(default=None, repr=False)
    password: str | None = dataclasses.field(default=None, repr=False)
    prefix: str = DEFAULT_PREFIX
    """Before all names in the engine: sites that share one have different ones."""
    options: tuple[tuple[str, str], ...] = dataclasses.field(default=(), repr=False)
    """The rest behind the `?`, for the client of that kind to read or refuse by name."""

    @classmethod
    def parse(cls, url: str) -> "EngineAddress":
        """Raises `ConfigurationError`, whose text never repeats a part of the URL."""
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in SCHEMES:
            raise ConfigurationError(
                "--engine: it must begin with redis-cluster://, rediss-cluster://, nats:// or tls://"
            )
        kind, tls, port = SCHEMES[scheme]
        parts = urlsplit(f"//{rest}")
        login, _, places = parts.netloc.rpartition("@")
        if not places:
            raise ConfigurationError(f"--engine: it names no host; as in {scheme}://10.0.0.1:{port}")
        if parts.path not in ("", "/") or parts.fragment or "@" in parts.query:
            raise ConfigurationError(
                "--engine: hosts, and behind a ? options, are all that the URL may say; escape /, ?, # and @ with %"
            )
        options = _read_options(parts.query)
        username, _, password = login.partition(":")
        prefix = options.pop("prefix", DEFAULT_PREFIX)
        if not prefix.isascii() or not prefix.replace("-", "").replace("_", "").isalnum():
            raise ConfigurationError("--engine: a prefix has letters, digits, '-' and '_'")
        return cls(
            kind=kind,
            tls=tls,
            servers=tuple(_read_server(place, port) for place in places.split(",")),
            username=unquote(username) or None,
            password=unquote(password) or None,
            prefix=prefix,
            options=tuple(options.items()),
        )

    def __str__(self) -> str:
        places = ",".join(map(write_server, self.servers))
        return f"{self.kind}{' with TLS' if self.tls else ''} at {places}"

    @property
    def said_prefix(self) -> str:
        """Behind where it is connected to; nothing for the one that all sites begin with."""
        return "" if self.prefix == DEFAULT_PREFIX else f", prefix {self.prefix}"

    def describe(self) -> str:
        """The same, and what else may be told."""
        return f"{self}, prefix {self.prefix}"


def write_server(server: HostPort) -> str:
    """As an address has it."""
    host, port = server
    return f"{enclose(host)}:{port}"


def _read_options(query: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    options = dict(pairs)
    names = [name for name, _ in pairs]
    if twice := [name for name in options if names.count(name) > 1]:
        raise ConfigurationError(f"--engine: {escape(twice[0])} stands twice behind the ?")
    return options


def _read_server(text: str, default_port: int) -> HostPort:
    try:
        parts = urlsplit(f"//{text}")
        port = default_port if parts.port is None else parts.port
    except ValueError as error:
        raise ConfigurationError("--engine: a host or port is not readable; escape /, ?, # and @ with %") from error
    if not parts.hostname or not 0 < port < 65_536:
        raise ConfigurationError("--engine: servers are written as host:port, several with commas between")
    return unquote(parts.hostname), port
