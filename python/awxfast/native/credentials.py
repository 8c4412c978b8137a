"""The headers that tell who a browser is, and what stands for them where they are not kept."""

import dataclasses
import hashlib

import orjson

from awxfast.wire.request import Request, find_token, read_query_token

FORWARDED = (b"cookie", b"authorization", b"x-dab-jw-token")

CredentialHeaders = tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Credentials:
    """Never to be logged. They are as long as a request's head may be, so they are hashed once and told by that."""

    headers: CredentialHeaders = dataclasses.field(default=(), repr=False, compare=False)
    digest: bytes = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", hashlib.sha256(orjson.dumps(self.headers)).digest())


NO_CREDENTIALS = Credentials()


def collect_headers(request: Request) -> CredentialHeaders:
    """The headers that tell who it is; a token of the URL becomes one. Bytes that are no UTF-8 are replaced."""
    found = [(name.decode(), value.decode("utf-8", "replace")) for name, value in request.headers if name in FORWARDED]
    token = read_query_token(request)
    if token and request.first(b"authorization") is None and token.isprintable():
        found.append(("authorization", f"Bearer {token}"))
    return tuple(found)


def is_by_token(headers: CredentialHeaders) -> bool:
    """Whether a token is all that the API was asked with, so that nothing else can have told it who it is.

    All else is what a browser sends by itself, or what a proxy adds to what it sends.
    """
    return [name for name, _ in headers] == ["authorization"] and find_token(headers[0][1]) is not None
