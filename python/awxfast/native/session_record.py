"""What a reload hands over of a session, as JSON has it: who it is, and its commands that are not served yet."""

import re
from collections.abc import Iterable
from typing import Any

from awxfast.native.access import EVERYBODY, Identity
from awxfast.native.credentials import NO_CREDENTIALS, Credentials

WaitingCommand = bytes | frozenset[str]
"""As it came, or the groups that were granted when its error replies are on their way already."""


def describe_identity(identity: Identity) -> list[Any]:
    """Everything that tells it; never to be logged."""
    if identity.is_everybody:
        return []
    pattern = identity.groups.pattern if identity.groups is not None else None
    return [identity.user, pattern, identity.by_session, identity.credentials.headers]


def describe_commands(commands: Iterable[WaitingCommand]) -> list[Any]:
    """A text each, or a list of groups. Commands are UTF-8: that is looked at when they come."""
    return [command.decode() if isinstance(command, bytes) else sorted(command) for command in commands]


def read_commands(described: Iterable[Any]) -> list[WaitingCommand]:
    """Makes commands again of what `describe_commands` gave."""
    return [command.encode() if isinstance(command, str) else frozenset(command) for command in described]


class Identities:
    """Reads identities: those that are alike are one, as those are that a file or an answer has brought."""

    def __init__(self) -> None:
        self._known: dict[str, Identity] = {}

    def read(self, described: list[Any]) -> Identity:
        """Makes an identity again of what `describe_identity` gave."""
        if not described:
            return EVERYBODY
        key = repr(described)
        identity = self._known.get(key)
        if identity is None:
            identity = self._known[key] = _read(*described)
        return identity


def _read(user: int, pattern: str | None, by_session: bool, headers: list[list[str]]) -> Identity:
    groups = re.compile(pattern) if pattern is not None else None
    credentials = Credentials(tuple((name, value) for name, value in headers)) if headers else NO_CREDENTIALS
    return Identity(user, groups, by_session, credentials)
