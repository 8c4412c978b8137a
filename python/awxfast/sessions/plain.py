"""What plain requests get in native mode: there is nothing but websockets."""

from collections.abc import Iterable

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope

from awxfast.wire.handshake import UPGRADE_REQUIRED, Refusal, describe_refusal
from awxfast.wire.paths import Paths

NOT_FOUND = Refusal(404, "path", "There is nothing here.")


def answer_plainly(paths: Paths) -> ASGI3Application:
    """An application: 426 on the paths of websockets, 404 on all others."""

    async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        assert scope["type"] == "http"
        refusal = NOT_FOUND if paths.find(scope["path"]) is None else UPGRADE_REQUIRED
        headers = describe_refusal(refusal, closes=has_body(scope["headers"]))
        await send({"type": "http.response.start", "status": refusal.status, "headers": headers, "trailers": False})
        await send({"type": "http.response.body", "body": refusal.body, "more_body": False})

    return application


def has_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a body comes. Nobody reads it here, so such a request is its connection's last."""
    return any(name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in headers)
