"""Who somebody is and what they may see, in native mode: `--auth tokens=FILE`, `open`, or nobody at all."""

import dataclasses
import hashlib
import json
import re
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, Protocol

from awxfast.errors import ConfigurationError
from awxfast.native.credentials import NO_CREDENTIALS, Credentials
from awxfast.wire.handshake import Reason
from awxfast.wire.messages import Want
from awxfast.wire.request import Request, read_token


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who is known. `groups` is what they may see by name; None: everything.

    `by_session`: a cookie told who it is, which a foreign page's script would send too, so that `xrftoken` is needed.
    `credentials` are what told it, where they are needed again.
    """

    user: int
    groups: re.Pattern[str] | None = None
    by_session: bool = False
    credentials: Credentials = NO_CREDENTIALS

    @property
    def is_everybody(self) -> bool:
        """Whether this is no one user, but all who come."""
        return self is EVERYBODY


EVERYBODY = Identity(user=0)


class Access(Protocol):
    """What sessions ask about browsers and their rights."""

    def identify(self, request: Request) -> Identity | Awaitable[Identity | None] | None:
        """Who sent this handshake; None: nobody who is known. An awaitable where somebody else has to be asked.

        The awaitable raises `AccessUnavailable` when there is no answer.
        """

    def recall_identity(self, request: Request) -> Identity | None:
        """The same where nobody has to be asked and somebody is known; else None."""

    def name_refusal(self, request: Request) -> Reason:
        """Why nobody is known who sent this handshake."""

    async def may_subscribe(self, identity: Identity, want: Want) -> bool:
        """Whether they may have a group's events. Raises `AccessUnavailable` when there is no answer."""

    def recall_right(self, identity: Identity, want: Want) -> bool | None:
        """The same where nobody has to be asked; None: it has to be asked for."""

    async def probe(self) -> str:
        """Looks once whether whoever is asked answers, and says what they said; empty where nobody is asked.

        Raises `AccessUnavailable`.
        """

    def reload(self) -> None:
        """Reads files again. Raises `ConfigurationError` and changes nothing when they have a fault."""

    async def close(self) -> None:
        """Lets go of connections."""


class RefuseAccess:
    """Nobody is known; the default."""

    def identify(self, request: Request) -> Identity | None:
        """Nobody is known, whatever they sent."""
        return None

    def recall_identity(self, request: Request) -> Identity | None:
        """Nobody is known, whatever they sent."""
        return None

    def name_refusal(self, request: Request) -> Reason:
        """Whatever they sent, it is not that."""
        return "access"

    async def may_subscribe(self, identity: Identity, want: Want) -> bool:
        """Nobody may see any group."""
        return False

    def recall_right(self, identity: Identity, want: Want) -> bool | None:
        """Nobody gets as far as that."""
        return None

    async def probe(self) -> str:
        """There is nobody to ask who might be away."""
        return ""

    def reload(self) -> None:
        """There is no file."""

    async def close(self) -> None:
        """There is no connection."""


class OpenAccess(RefuseAccess):
    """Everybody is user 0 and may see everything; for listeners that only this machine reaches."""

    def identify(self, request: Request) -> Identity:
        """Everybody is user 0."""
        return EVERYBODY

    def recall_identity(self, request: Request) -> Identity:
        """There is nobody to ask."""
        return EVERYBODY

    async def may_subscribe(self, identity: Identity, want: Want) -> bool:
        """Everybody may see every group."""
        return True

    def recall_right(self, identity: Identity, want: Want) -> bool:
        """There is nobody to ask."""
        return True


class TokensAccess(RefuseAccess):
    """A file of tokens: `{"<token>": {"user": 7, "groups": ["job_events-*"]}}`. Raises `ConfigurationError`.

    Tokens are kept and looked up by their digest, so that the time of a look-up tells nothing about them.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._identities = read_tokens(file)

    def identify(self, request: Request) -> Identity | None:
        """Whose token the handshake carries."""
        token = read_token(request)
        return self._identities.get(digest_token(token)) if token else None

    def recall_identity(self, request: Request) -> Identity | None:
        """The file says it."""
        return self.identify(request)

    def name_refusal(self, request: Request) -> Reason:
        """There is nothing but tokens."""
        return "token"

    async def may_subscribe(self, identity: Identity, want: Want) -> bool:
        """What the token's `groups` name."""
        return self.recall_right(identity, want)

    def recall_right(self, identity: Identity, want: Want) -> bool:
        """The file says it: nobody has to be asked."""
        return identity.groups is None or identity.groups.fullmatch(want.group) is not None

    def reload(self) -> None:
        """Reads the file again; who is connected keeps what they had."""
        self._identities = read_tokens(self._file)


def digest_token(token: str) -> bytes:
    """What stands for a token in memory."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def read_tokens(file: Path) -> dict[bytes, Identity]:
    """The identities of a tokens file by their tokens' digests."""
    try:
        document = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"tokens file {file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"tokens file {file} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f'tokens file {file}: it has to be an object, {{"<token>": {{"user": 7}}}}')
    entries = enumerate(document.items(), 1)
    return {
        digest_token(token): read_identity(f"tokens file {file}, entry {n}", token, entry)
        for n, (token, entry) in entries
    }


def read_identity(place: str, token: str, entry: Any) -> Identity:
    """One entry. Errors name it by its place, since its name is a secret."""
    if not token.strip():
        raise ConfigurationError(f"{place}: the token is empty")
    if not isinstance(entry, dict) or not set(entry) <= {"user", "groups"}:
        raise ConfigurationError(f'{place}: it has to be {{"user": <number>, "groups": [<names>]}}')
    user, groups = entry.get("user"), entry.get("groups")
    if not isinstance(user, int) or isinstance(user, bool):
        raise ConfigurationError(f"{place}: user has to be a number, the user's id")
    if groups is not None and not (isinstance(groups, list) and all(isinstance(name, str) for name in groups)):
        raise ConfigurationError(f"{place}: groups has to be a list of group names, * stands for anything")
    return Identity(user, None if groups is None else compile_globs(groups))


def compile_globs(globs: Sequence[str]) -> re.Pattern[str]:
    """One pattern for names in which `*` stands for anything; no globs fit nothing."""
    return re.compile("|".join(".*".join(map(re.escape, glob.split("*"))) for glob in globs) if globs else r"(?!)")
