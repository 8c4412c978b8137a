"""Plain requests on the paths of other nodes never reach an application; all others do."""

from typing import Any

import pytest
from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from awxfast.http.plain_answers import keep_from_nodes_paths
from awxfast.nodes.endpoint import ClosedEndpoint
from awxfast.wire.paths import Paths


async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": [], "trailers": False})


async def ask(path: str) -> int:
    """The status that a GET gets."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError

    scope: Any = {"type": "http", "path": path, "headers": []}
    await keep_from_nodes_paths(application, ClosedEndpoint(Paths()))(scope, receive, send)
    status: int = sent[0]["status"]
    return status


@pytest.mark.parametrize("path", ["/websocket/relay/", "/websocket/broadcast/"])
async def test_nodes_paths(path: str) -> None:
    assert await ask(path) == 404


@pytest.mark.parametrize("path", ["/", "/websocket/", "/websocket/relay", "/x/websocket/relay/", "/websocket/relay/x"])
async def test_others(path: str) -> None:
    assert await ask(path) == 299
