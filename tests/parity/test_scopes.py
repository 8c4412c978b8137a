"""What the application is told about a request."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from parity.conftest import Start
from parity.hosts import HostingServer
from parity.raw_client import RawClient, ask, read_text_frame, upgrade

HEADERS = [
    ("X-Forwarded-For: 203.0.113.7, 10.0.0.1", ["203.0.113.7", 0]),
    ("X-Forwarded-For: 2001:db8:85a3::8a2e:370:7334", ["2001:db8:85a3::8a2e:370:7334", 0]),
    ("X-Forwarded-For: 203.0.113.7\nX-Forwarded-Port: 4711", ["203.0.113.7", 4711]),
    ("X-Forwarded-For: 203.0.113.7\nX-Forwarded-Port: none", ["203.0.113.7", 0]),
    ("X-Forwarded-For: unknown", ["unknown", 0]),
]


def plain_scope(server: HostingServer, target: str, lines: str = "") -> Any:
    return ask(server.address, f"GET {target} HTTP/1.1" + (f"\n{lines}" if lines else "")).json()


def websocket_scope(server: HostingServer, target: str, *lines: str) -> Any:
    with RawClient(server.address) as client:
        upgrade(client, target, *lines)
        return json.loads(read_text_frame(client))


class TestPlainScope:
    def test_all_of_it(self, server: HostingServer) -> None:
        with RawClient(server.address) as client:
            scope = client.request("GET /scope/a%20b?c=d HTTP/1.1").json()
            here = list(client.sock.getsockname())
        assert scope.pop("asgi")["version"] == "3.0"
        assert scope == {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/scope/a b",
            "raw_path": "/scope/a%20b",
            "query_string": "c=d",
            "root_path": "",
            "headers": [["host", "test"]],
            "client": here,
            "server": list(server.address),
        }

    def test_version_1_0(self, server: HostingServer) -> None:
        assert ask(server.address, "GET /scope/ HTTP/1.0").json()["http_version"] == "1.0"

    def test_lines_of_one_name_stay_apart(self, server: HostingServer) -> None:
        scope = plain_scope(server, "/scope/", "X-Twice: a\nX-Twice: b")
        assert scope["headers"] == [["host", "test"], ["x-twice", "a"], ["x-twice", "b"]]


class TestWebsocketScope:
    def test_all_of_it(self, server: HostingServer) -> None:
        with RawClient(server.address) as client:
            upgrade(client, "/scope/a%20b?c=d", "Cookie: e=f")
            scope = json.loads(read_text_frame(client))
            here = list(client.sock.getsockname())
        assert scope.pop("asgi")["version"] == "3.0"
        headers = dict(scope.pop("headers"))
        assert (headers["host"], headers["cookie"], headers["sec-websocket-version"]) == ("test", "e=f", "13")
        for name in ("scheme", "http_version"):
            scope.pop(name, None)
        assert scope == {
            "type": "websocket",
            "path": "/scope/a b",
            "raw_path": "/scope/a%20b",
            "query_string": "c=d",
            "root_path": "",
            "client": here,
            "server": list(server.address),
            "subprotocols": [],
        }

    def test_lines_of_one_name_are_joined(self, server: HostingServer) -> None:
        """So two `secret` headers are none that fits, whichever comes first."""
        scope = websocket_scope(server, "/scope/", "X-Twice: a", "X-Twice: b")
        assert [header for header in scope["headers"] if header[0] == "x-twice"] == [["x-twice", "a,b"]]

    def test_name_with_an_underscore_is_dropped(self, server: HostingServer) -> None:
        scope = websocket_scope(server, "/scope/", "X_Remote_User: root")
        assert "x_remote_user" not in dict(scope["headers"])

    def test_subprotocols_of_several_lines_are_one_list(self, server: HostingServer) -> None:
        """Subprotocols as browsers offer them (django/daphne#565)."""
        scope = websocket_scope(server, "/scope/", "Sec-WebSocket-Protocol: a, b", "Sec-WebSocket-Protocol: c")
        assert scope["subprotocols"] == ["a", "b", "c"]


@pytest.fixture(scope="module")
def behind_proxy(kind: str) -> Iterator[HostingServer]:
    one = HostingServer(kind, "--proxy-headers")
    yield one
    one.close()


class TestUnixSocket:
    def test_there_is_no_client_and_no_server(self, start: Start, tmp_path: Path) -> None:
        server = start("-u", str(tmp_path / "s"))
        scope = plain_scope(server, "/scope/")
        assert (scope["client"], scope["server"]) == (None, None)
        scope = websocket_scope(server, "/scope/")
        assert (scope["client"], scope["server"]) == (None, None)


class TestRootPath:
    """A site below a path of its own (ansible/awx#12241)."""

    @pytest.fixture
    def mounted(self, start: Start) -> HostingServer:
        return start("--root-path", "/awx")

    def test_option(self, mounted: HostingServer) -> None:
        for scope in (plain_scope(mounted, "/awx/scope/"), websocket_scope(mounted, "/awx/scope/")):
            assert (scope["path"], scope["root_path"]) == ("/awx/scope/", "/awx")

    def test_header_wins_and_is_not_passed_on(self, mounted: HostingServer) -> None:
        line = "Daphne-Root-Path: /a%20b"
        for scope in (plain_scope(mounted, "/a%20b/scope/", line), websocket_scope(mounted, "/a%20b/scope/", line)):
            assert (scope["path"], scope["root_path"]) == ("/a b/scope/", "/a b")
            assert "daphne-root-path" not in dict(scope["headers"])


class TestProxyHeaders:
    """Headers as proxies and attackers write them (django/daphne#90)."""

    @pytest.mark.parametrize(("lines", "client"), HEADERS)
    def test_client_is_the_first_of_the_header(
        self, behind_proxy: HostingServer, lines: str, client: list[Any]
    ) -> None:
        assert plain_scope(behind_proxy, "/scope/", lines)["client"] == client
        assert websocket_scope(behind_proxy, "/scope/", *lines.split("\n"))["client"] == client

    def test_scheme(self, behind_proxy: HostingServer) -> None:
        lines = "X-Forwarded-For: 203.0.113.7\nX-Forwarded-Proto: https"
        assert plain_scope(behind_proxy, "/scope/", lines)["scheme"] == "https"
        assert plain_scope(behind_proxy, "/scope/", "X-Forwarded-Proto: https")["scheme"] == "http"

    @pytest.mark.parametrize(("lines", "client"), HEADERS)
    def test_without_the_option_nothing_changes(self, server: HostingServer, lines: str, client: list[Any]) -> None:
        assert plain_scope(server, "/scope/", lines)["client"][0] == "127.0.0.1"
        assert websocket_scope(server, "/scope/", *lines.split("\n"))["client"][0] == "127.0.0.1"

    def test_names_are_options(self, start: Start) -> None:
        server = start("--proxy-headers", "--proxy-headers-h", "X-Real-IP", "--proxy-headers-port", "X-Real-Port")
        scope = plain_scope(server, "/scope/", "X-Real-IP: 203.0.113.9\nX-Real-Port: 99\nX-Forwarded-For: 10.0.0.1")
        assert scope["client"] == ["203.0.113.9", 99]
