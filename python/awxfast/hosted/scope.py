"""What an application is told about a request: the scopes that daphne gives it."""

from collections.abc import Mapping
from typing import Any

from awxfast.wire.handshake import Handshake
from awxfast.wire.request import Request

VERSIONS = {"version": "3.0", "spec_version": "2.3"}
WEBSOCKET_SCHEMES = {"http": "ws", "https": "wss"}


def describe_http(scope: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
    """The scope of a plain request, from the HTTP server's."""
    return {
        **scope,
        "asgi": dict(VERSIONS),
        "client": describe_address(scope["client"]),
        "server": describe_address(scope["server"]),
        "state": dict(state),
        "extensions": {"http.response.trailers": {}, "http.response.pathsend": {}, "http.response.early_hint": {}},
    }


def describe_websocket(request: Request, handshake: Handshake, state: Mapping[str, Any]) -> dict[str, Any]:
    """The scope of an upgrade. A name occurs once among its headers: daphne joins what comes in several lines."""
    return {
        "type": "websocket",
        "asgi": dict(VERSIONS),
        "http_version": "1.1",
        "scheme": WEBSOCKET_SCHEMES[request.scheme],
        "path": request.path,
        "raw_path": request.raw_path,
        "query_string": request.query,
        "root_path": request.root_path,
        "headers": join_lines(request),
        "client": describe_address(request.client),
        "server": describe_address(request.server),
        "subprotocols": list(handshake.subprotocols),
        "state": dict(state),
        "extensions": {"websocket.http.response": {}},
    }


def join_lines(request: Request) -> list[tuple[bytes, bytes]]:
    """Each header once, its lines with a comma between."""
    joined: dict[bytes, bytes] = {}
    for name, value in request.headers:
        joined[name] = joined[name] + b"," + value if name in joined else value
    return list(joined.items())


def describe_address(address: Any) -> list[Any] | None:
    """Host and port as a list, as in daphne; a unix socket has neither."""
    return list(address) if address and isinstance(address[1], int) else None
