"""What the server asks of who answers on its paths: native mode or an application, and the nodes' endpoint."""

from collections.abc import Iterator
from typing import Protocol

from asgiref.typing import ASGI3Application

from awxfast.http.plain_answers import NodePaths
from awxfast.sockets.opening import Accepted, Opening
from awxfast.wire.handshake import Refusal
from awxfast.wire.request import Request


class Endpoints(Protocol):
    """Who answers on all the paths: native mode, or an application."""

    @property
    def plain(self) -> ASGI3Application:
        """Who answers plain requests."""

    def check(self, request: Request) -> Refusal | None:
        """Why an upgrade can't succeed, from its head alone."""

    def decide(self, opening: Opening) -> None:
        """Accepts or refuses, now or later."""

    def recall(self, request: Request) -> Accepted | None:
        """The answer to one that `check` lets through, where nobody has to be asked and it is yes; else None."""

    def sweep(self) -> Iterator[bool]:
        """Looks at what has a time limit, about twice a second; whether there was something to do, of each."""

    def begin_stop(self) -> None:
        """No upgrade is accepted any more."""

    async def stop(self, seconds: float) -> None:
        """All connections are closed; what still runs has so many seconds."""


class NodeEndpoints(NodePaths, Protocol):
    """Who answers other nodes, on paths of their own. No limit of browsers is theirs."""

    def decide(self, opening: Opening) -> None:
        """Accepts or refuses, now or later."""

    def sweep(self) -> Iterator[bool]:
        """As above, for links."""
