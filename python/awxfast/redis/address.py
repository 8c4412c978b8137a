"""Where a Redis is and how to get in."""

import dataclasses
import socket
import ssl
from collections.abc import Mapping
from typing import Any

from awxfast.errors import ConfigurationError
from awxfast.redis.client_options import read_options
from awxfast.redis.option_values import read_text
from awxfast.redis.tls import TlsOptions
from awxfast.redis.url import options_in_url
from awxfast.redis.wrong_option import WrongOption

KEEPALIVE = ((socket.TCP_KEEPIDLE, 15), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))
"""Seconds, seconds, probes: a peer that vanished is noticed after 30 s although nothing is being sent."""

ANSWER_SECONDS = 5.0
"""Within which a Redis answers what it can answer at once, and lets somebody in."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RedisAddress:
    """One Redis. `path` is set for a unix socket, `host` and `port` otherwise; text and repr tell no password.

    `master_name`: `sentinels` are asked under this name where it is at present, and `host` and `port` mean nothing.
    `credential_provider`: an object of redis-py's kind that is asked at each connection. `keepalive`: TCP's options
    and their values; None: off. Times in seconds; None: the program's own.
    """

    host: str = "localhost"
    port: int = 6379
    path: str | None = None
    username: str | None = dataclasses.field(default=None, repr=False)
    password: str | None = dataclasses.field(default=None, repr=False)
    credential_provider: Any = dataclasses.field(default=None, repr=False)
    db: int = 0
    tls: TlsOptions | None = None
    client_name: str | None = None
    lib_name: str | None = None
    lib_version: str | None = None
    connect_seconds: float | None = None
    answer_seconds: float | None = None
    keepalive: tuple[tuple[int, int], ...] | None = KEEPALIVE
    master_name: str = ""
    sentinels: tuple["RedisAddress", ...] = ()
    is_of_cluster: bool = False
    """Whether it is one of an engine's servers, whose URLs are other ones."""

    @classmethod
    def parse(cls, url: str) -> "RedisAddress":
        """Reads `redis://`, `rediss://`, `unix://` and `redis+sentinel://` URLs (`redis.url`).

        Raises `ConfigurationError`, whose text never repeats a part of the URL.
        """
        try:
            return cls.from_options(options_in_url(url))
        except WrongOption as error:
            raise ConfigurationError(f"Redis URL: {error}") from error

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> "RedisAddress":
        """Reads what channels_redis hands to redis-py for one host. Raises `WrongOption`."""
        if options.get("master_name") is None:
            return cls(**read_options(options))
        rest = {name: value for name, value in options.items() if name not in OF_SENTINEL}
        master_name = read_text("master_name", options["master_name"])
        if foreign := [name for name in ("host", "port", "path") if name in rest]:
            raise WrongOption(f"{foreign[0]} means nothing beside master_name: Sentinel says where it is")
        return cls(
            **read_options(rest),
            master_name=master_name,
            sentinels=read_sentinels(options.get("sentinels"), options.get("sentinel_kwargs") or {}),
        )

    def __str__(self) -> str:
        if self.master_name:
            places = ",".join(f"{enclose(one.host)}:{one.port}" for one in self.sentinels)
            return f"{'rediss' if self.tls else 'redis'}+sentinel://{places}/{self.master_name}/{self.db}"
        if self.path is not None:
            return f"unix://{self.path}" + (f"?db={self.db}" if self.db else "")
        place = f"{enclose(self.host)}:{self.port}"
        return self.url(place if self.is_of_cluster else f"{place}/{self.db}", tls=self.tls is not None)

    def url(self, rest: str, *, tls: bool) -> str:
        """One of its kind."""
        return f"redis{'s' if tls else ''}{'-cluster' if self.is_of_cluster else ''}://{rest}"

    def ssl_context(self) -> ssl.SSLContext | None:
        """For TLS, else None. Raises `ConfigurationError` for files that can't be used."""
        return self.tls.context() if self.tls is not None else None


OF_SENTINEL = ("master_name", "sentinels", "sentinel_kwargs")
"""What channels_redis takes out of a host's dictionary before redis-py sees it."""


def enclose(host: str) -> str:
    """As a URL has it: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def read_sentinels(sentinels: Any, options: Any) -> tuple[RedisAddress, ...]:
    """Each sentinel, a pair of host and port; `options` are for the connections to them. Raises `WrongOption`."""
    if not isinstance(sentinels, list | tuple) or not sentinels:
        raise WrongOption("sentinels is a list of host and port, of one at least")
    if not isinstance(options, Mapping):
        raise WrongOption("sentinel_kwargs is a dictionary of options")
    try:
        return tuple(
            RedisAddress.from_options({**options, "host": host, "port": port, "master_name": None})
            for host, port in sentinels
        )
    except WrongOption as error:
        raise WrongOption(f"of the sentinels: {error}") from error
    except (TypeError, ValueError) as error:
        raise WrongOption("sentinels is a list of host and port") from error
