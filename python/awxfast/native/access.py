"""Who a browser is and what it may see, in native mode: what sessions ask, and the answers that need no asking."""

import dataclasses
import re
from collections.abc import Awaitable
from typing import Protocol

from awxfast.native.credentials import NO_CREDENTIALS, Credentials
from awxfast.wire.browser_commands import Want
from awxfast.wire.handshake import Reason
from awxfast.wire.request import Request


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
