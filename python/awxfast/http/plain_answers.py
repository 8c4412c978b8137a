"""What plain requests get on the paths of websockets, and in native mode, where there is nothing else."""

from collections.abc import Iterable
from typing import Protocol

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

from awxfast.wire.handshake import UPGRADE_REQUIRED, Refusal, describe_refusal
from awxfast.wire.paths import Paths

NOT_FOUND = Refusal(404, "path", "There is nothing here.")


def answer_plainly(paths: Paths) -> ASGI3Application:
    """An application: 426 on the paths of websockets, 404 on all others."""

    async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        assert scope["type"] == "http"
        await answer_with(NOT_FOUND if paths.find(scope["path"]) is None else UPGRADE_REQUIRED, scope, send)

    return application


class NodePaths(Protocol):
    """Paths that are other nodes'. `plain` is what plain requests get there."""

    @property
    def plain(self) -> Refusal:
        """What a plain request on such a path gets."""

    def owns(self, path: str) -> bool:
        """Whether the path is for nodes."""


def keep_from_nodes_paths(application: ASGI3Application, nodes: NodePaths) -> ASGI3Application:
    """The application, less the paths on which it does not answer upgrades either."""

    async def rest(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "http" and nodes.owns(scope["path"]):
            await answer_with(nodes.plain, scope, send)
        else:
            await application(scope, receive, send)

    return rest


async def answer_with(refusal: Refusal, scope: HTTPScope, send: ASGISendCallable) -> None:
    """Sends a refusal as a whole response."""
    headers = describe_refusal(refusal, closes=has_body(scope["headers"]))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": refusal.body, "more_body": False})


def has_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a body comes. Nobody reads it here, so such a request is its connection's last."""
    return any(name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in headers)
