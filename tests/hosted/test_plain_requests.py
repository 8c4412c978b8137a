"""Plain requests that an application's router leads nowhere."""

from typing import Any

import pytest
from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from awxfast.hosted.plain_requests import host_plain


async def route_nowhere(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """As Channels' router without the route."""
    raise ValueError("No route found for path 'nowhere'.")


async def receive() -> Any:
    raise AssertionError("nobody reads the body")


class TestMissingRoute:
    async def test_flood_of_them_is_one_line_and_each_gets_404(self, caplog: pytest.LogCaptureFixture) -> None:
        hosted = host_plain(route_nowhere, {})
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        for number in range(500):
            scope: Any = {
                "type": "http",
                "method": "GET",
                "path": f"/{number}",
                "headers": [],
                "client": None,
                "server": None,
            }
            await hosted(scope, receive, send)
        assert [message["status"] for message in sent[::2]] == [404] * 500
        assert caplog.messages == ["no route of the application leads to '/0'"]
