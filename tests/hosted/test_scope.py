"""Scopes; tests/parity holds them against daphne's."""

from typing import Any

import pytest
from awxfast.hosted.scope import describe_address, describe_http, describe_websocket
from awxfast.wire.handshake import Handshake
from awxfast.wire.request import Request


class TestAddress:
    @pytest.mark.parametrize(
        ("address", "described"), [(("::1", 7), ["::1", 7]), (None, None), (("/run/s", None), None)]
    )
    def test_host_and_port_or_nothing(self, address: Any, described: Any) -> None:
        assert describe_address(address) == described


class TestWebsocket:
    def test_lines_of_one_name_are_joined_in_place(self) -> None:
        request = Request("GET", "1.1", "/", headers=((b"a", b"1"), (b"b", b"2"), (b"a", b"3")))
        scope = describe_websocket(request, Handshake(b""), {})
        assert scope["headers"] == [(b"a", b"1,3"), (b"b", b"2")]

    @pytest.mark.parametrize(("scheme", "described"), [("http", "ws"), ("https", "wss")])
    def test_scheme(self, scheme: str, described: str) -> None:
        request = Request("GET", "1.1", "/", scheme=scheme)
        assert describe_websocket(request, Handshake(b""), {})["scheme"] == described

    def test_denial_response_is_offered(self) -> None:
        scope = describe_websocket(Request("GET", "1.1", "/"), Handshake(b"", ("a",)), {})
        assert scope["extensions"] == {"websocket.http.response": {}}
        assert scope["subprotocols"] == ["a"]


class TestState:
    def test_each_scope_has_a_copy(self) -> None:
        state = {"a": 1}
        request = Request("GET", "1.1", "/")
        scope = describe_websocket(request, Handshake(b""), state)
        scope["state"]["b"] = 2
        plain = dict.fromkeys(("http_version", "method", "scheme", "path", "raw_path", "query_string", "root_path"))
        plain |= {"headers": [], "client": None, "server": None}
        assert describe_http(plain, state)["state"] == {"a": 1}
