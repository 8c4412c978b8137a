"""Access by a file of tokens: `--auth tokens=FILE`."""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from awxfast.errors import ConfigurationError
from awxfast.native.access import Identity, RefuseAccess
from awxfast.system.plain_file import read_plain_file
from awxfast.wire.browser_commands import Want
from awxfast.wire.handshake import Reason
from awxfast.wire.request import Request, read_token

MOST_USER = 2**63 - 1
"""No id is larger; who has one is to be told to another process, in JSON (`native/session_record`)."""
SURROGATE = re.compile("[\ud800-\udfff]")
"""JSON can name one alone, and nothing can be made of it."""


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
        document = json.loads(read_plain_file(file).decode())
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
    if not isinstance(user, int) or isinstance(user, bool) or abs(user) > MOST_USER:
        raise ConfigurationError(f"{place}: user has to be a number, the user's id")
    if groups is not None and not (isinstance(groups, list) and all(isinstance(name, str) for name in groups)):
        raise ConfigurationError(f"{place}: groups has to be a list of group names, * stands for anything")
    if any(SURROGATE.search(name) for name in groups or ()):
        raise ConfigurationError(f"{place}: groups has half a surrogate pair in a name, which no text has")
    return Identity(user, None if groups is None else compile_globs(groups))


def compile_globs(globs: Sequence[str]) -> re.Pattern[str]:
    """One pattern for names in which `*` stands for anything; no globs fit nothing."""
    return re.compile("|".join(".*".join(map(re.escape, glob.split("*"))) for glob in globs) if globs else r"(?!)")
