"""Redis URLs: what each says, as options of redis-py (its `parse_url`), for `client_options` to read.

    redis://user:password@host:6379/1?...    rediss://...    unix://user:password@/path?db=1
    redis+sentinel://user:password@host:26379,other:26379/master/1?sentinel_password=...

The last is not redis-py's: it stands for a host's dictionary with `master_name` and `sentinels`.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from awxfast.redis.client_options import NAMES
from awxfast.redis.wrong_option import WrongOption

SENTINEL_SCHEMES = {"redis+sentinel": False, "rediss+sentinel": True}
"""With and without TLS, to the sentinels too."""

SENTINEL_PORT = 26_379
"""The port that Sentinel itself takes for granted."""

OF_SENTINELS = "sentinel_"
"""Before options in a query that are for connections to the sentinels."""


def options_in_url(url: str) -> dict[str, Any]:
    """All that it says. Raises `WrongOption`, whose text never repeats a part of it.

    With an unescaped `/` or `?` in the password, any part may be a piece of that.
    """
    try:
        parts = urlsplit(url)
        query = _read_query(parts.query)
        if parts.fragment:
            raise ValueError("a # outside of the password means nothing in a Redis URL")
        return _read_parts(parts, query)
    except WrongOption:
        raise
    except ValueError as error:
        raise WrongOption("the host or port is not readable; escape /, ?, # and @ of a password with %") from error


def _read_parts(parts: SplitResult, query: Mapping[str, str]) -> dict[str, Any]:
    if parts.scheme == "unix":
        return {**query, **_read_login(parts), **_read_path(parts)}
    if parts.scheme in ("redis", "rediss"):
        tls = {"ssl": True} if parts.scheme == "rediss" else {}
        return {**_read_db(parts.path), **query, **_read_login(parts), **_read_host(parts), **tls}
    if parts.scheme in SENTINEL_SCHEMES:
        return _read_sentinels(parts, query)
    raise WrongOption("it must begin with redis://, rediss:// or unix:///")


def _read_query(text: str) -> dict[str, str]:
    query = parse_qs(text, keep_blank_values=True, strict_parsing=bool(text))
    if any(len(values) > 1 or not values[0] for values in query.values()):
        raise WrongOption("after the ? each option stands once, and with a value")
    if not {name.removeprefix(OF_SENTINELS) for name in query} <= NAMES:
        raise WrongOption("after the ? is an option that no Redis connection has (docs/redis.md names them)")
    return {name: values[0] for name, values in query.items()}


def _read_login(parts: SplitResult) -> dict[str, str]:
    """Before the `@`; it wins over the query."""
    named = {"username": unquote(parts.username or ""), "password": unquote(parts.password or "")}
    return {name: value for name, value in named.items() if value}


def _read_host(parts: SplitResult) -> dict[str, Any]:
    port = parts.port
    if port == 0:
        raise WrongOption("port 0 is not one that a Redis can have")
    host = {"host": unquote(parts.hostname)} if parts.hostname else {}
    return {**host, "port": port} if port else host


def _read_path(parts: SplitResult) -> dict[str, str]:
    path = unquote(parts.path)
    if parts.hostname or not path.startswith("/") or path == "/":
        raise WrongOption("a unix socket is written with three slashes, unix:///path/to/redis.sock")
    return {"path": path}


def _read_db(path: str) -> dict[str, str]:
    text = unquote(path).strip("/")
    return {"db": text} if text else {}


def _read_sentinels(parts: SplitResult, query: Mapping[str, str]) -> dict[str, Any]:
    """The hosts are the sentinels; what the master is called is the path's first part."""
    name, _, db = unquote(parts.path).strip("/").partition("/")
    if not name:
        raise WrongOption("what Sentinel calls the master follows the sentinels: redis+sentinel://host:26379/mymaster")
    tls = {"ssl": True} if SENTINEL_SCHEMES[parts.scheme] else {}
    own = {key: value for key, value in query.items() if not key.startswith(OF_SENTINELS)}
    theirs = {key.removeprefix(OF_SENTINELS): query[key] for key in query.keys() - own.keys()}
    return {
        **_read_db(db),
        **own,
        **_read_login(parts),
        **tls,
        "master_name": name,
        "sentinels": [_read_sentinel(text) for text in parts.netloc.rpartition("@")[2].split(",")],
        "sentinel_kwargs": {**theirs, **tls},
    }


def _read_sentinel(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise WrongOption("a sentinel is written as host:port, several with commas between")
    return unquote(parts.hostname), parts.port or SENTINEL_PORT
