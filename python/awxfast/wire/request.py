"""A request's head as values: what paths, handshakes and identities are read from."""

import dataclasses
import urllib.parse
from collections.abc import Iterable

MAX_QUERY_FIELDS = 100
UNIX_SOCKET = "unix"
"""Stands for an address where there is none."""


@dataclasses.dataclass(slots=True)
class Request:
    """One request's head. Header names are in lower case, values as received; the path is decoded, without query.

    Nobody changes one; to have that enforced (`frozen`) would cost each handshake three times as long a constructor.

    `client` may come from a proxy's headers, `server` is the socket's own address; None for a unix socket.
    """

    method: str
    version: str
    path: str
    query: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    client: tuple[str, int] | None = None
    server: tuple[str, int] | None = None
    raw_path: bytes = b""
    root_path: str = ""
    scheme: str = "http"
    _values: dict[bytes, list[bytes]] = dataclasses.field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, value in self.headers:  # a handshake asks for a dozen of them
            self._values.setdefault(name, []).append(value)

    def values(self, name: bytes) -> list[bytes]:
        """The values of all lines with this name, in order."""
        return self._values.get(name, [])

    def first(self, name: bytes) -> bytes | None:
        """The value of the first line with this name."""
        values = self.values(name)
        return values[0] if values else None


def split_lists(values: Iterable[bytes]) -> list[bytes]:
    """The comma-separated members of all lines of one header, as received (RFC 9110 section 5.6.1)."""
    return [member.strip(b" \t") for value in values for member in value.split(b",")]


def list_tokens(values: Iterable[bytes]) -> list[bytes]:
    """The same of a header whose members are tokens that are equal in either case, lower-cased."""
    return [token.lower() for token in split_lists(values)]


def read_cookie(request: Request, name: str) -> str | None:
    """A cookie's value. As in AWX only the first `cookie` line counts, and of equal names the last."""
    found = None
    for pair in (request.first(b"cookie") or b"").decode("latin-1").split(";"):
        key, separator, value = pair.partition("=")
        if separator and key.strip() == name:
            found = value.strip()
    return found


def read_token(request: Request) -> str | None:
    """The token of `Authorization: Bearer` or `Token`, else of `?token=`."""
    return read_authorization_token(request) or read_query_token(request)


def read_authorization_token(request: Request) -> str | None:
    """The token of the first `Authorization` line."""
    return find_token((request.first(b"authorization") or b"").decode("latin-1"))


def find_token(authorization: str) -> str | None:
    """The token of `Bearer T` or `Token T`; other schemes carry none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() or None if scheme.lower() in ("bearer", "token") else None


def read_query_token(request: Request) -> str | None:
    """The token of `?token=T`, percent-decoded."""
    try:
        fields = urllib.parse.parse_qsl(request.query.decode("latin-1"), max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        return None
    return next((value for key, value in fields if key == "token"), None)
