"""Plain requests for the application: its scope, and a response that can be sent."""

import logging
from collections.abc import Mapping
from typing import Any

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope

from awxfast.hosted.messages import check_headers, check_status
from awxfast.hosted.routes import is_missing_route
from awxfast.hosted.scope import describe_http
from awxfast.quiet_log import QuietLog

log = logging.getLogger(__name__)

NOT_FOUND = b"There is nothing here.\n"


def host_plain(application: ASGI3Application, state: Mapping[str, Any]) -> ASGI3Application:
    """The application as the HTTP server calls it. `state` is the lifespan's."""

    missing = QuietLog(log)

    async def hosted(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        response = CheckedResponse(send)
        described: Any = describe_http(scope, state)
        try:
            await application(described, receive, response.send)
        except ValueError as error:
            if response.begun or not is_missing_route(error):
                raise
            missing.warn("route", f"no route of the application leads to {described['path'][:200]!r}")
            await response.send_not_found()

    return hosted


class CheckedResponse:
    """Looks at what the application sends before anything of it is written: a fault can still become a 500 then."""

    def __init__(self, send: Any) -> None:
        self._send = send
        self.begun = False
        """Whether the application has begun; of a client that is gone the connection has begun nothing."""

    async def send(self, message: Any) -> None:
        """Passes it on. Raises `ValueError` for what can't be sent."""
        kind = message.get("type")
        if kind in ("http.response.body", "http.response.pathsend"):
            if not self.begun:
                raise ValueError("the response's body comes before its start")
        elif kind == "http.response.start":
            message = self._check_start(message)
        elif kind == "http.response.early_hint":
            check_headers([(b"link", link) for link in message["links"]])
            await self._send(message)
            return
        elif kind == "http.response.trailers":
            message = {**message, "headers": check_headers(list(message.get("headers") or ()))}
        else:
            raise ValueError(f"a plain request has no messages of type {kind!r}")
        self.begun = True
        await self._send(message)

    def _check_start(self, message: Any) -> Any:
        if self.begun:
            raise ValueError("the response has begun already")
        check_status(message.get("status"))
        return {**message, "headers": check_headers(list(message.get("headers") or ()))}

    async def send_not_found(self) -> None:
        """In place of what a router without the route raises."""
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(NOT_FOUND))]
        await self.send({"type": "http.response.start", "status": 404, "headers": headers})
        await self.send({"type": "http.response.body", "body": NOT_FOUND})
