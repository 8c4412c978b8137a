"""Start-up lines and access log, as scripts read them."""

import re
from pathlib import Path

import pytest
from parity.conftest import Start
from parity.hosts import HostingServer
from parity.raw_client import RawClient, ask, handshake, upgrade
from servers import wait_for

LINE = re.compile(r'^(\S+) - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d\] "([^"]+)" (\S+) (\S+)$')


def actions(server: HostingServer, count: int) -> list[tuple[str, str, str]]:
    """What stands in the access log as soon as it has so many lines; each line in daphne's format."""
    lines = wait_for(lambda: found if len(found := server.access.splitlines()) >= count else None)
    matches = [LINE.match(line) for line in lines]
    assert all(matches), lines
    return [(match[2], match[3], match[4]) for match in matches if match]


class TestAccessLog:
    def test_plain_requests(self, start: Start) -> None:
        server = start()
        ask(server.address, "GET /status/200?a=b HTTP/1.1")
        ask(server.address, "POST /chunks HTTP/1.1\nContent-Length: 0")
        ask(server.address, "GET /status/204 HTTP/1.1")
        ask(server.address, "GET /a%20b HTTP/1.1")
        assert actions(server, 3)[:3] == [
            ("GET /status/200?a=b", "200", "4"),
            ("POST /chunks", "200", "13"),
            ("GET /status/204", "204", "-"),
        ]

    def test_websocket(self, start: Start) -> None:
        server = start()
        with RawClient(server.address) as client:
            upgrade(client, "/echo?a=b")
            assert actions(server, 2) == [("WSCONNECTING /echo", "-", "-"), ("WSCONNECT /echo", "-", "-")]
            peer = "{}:{}".format(*client.sock.getsockname())
        assert actions(server, 3)[2] == ("WSDISCONNECT /echo", "-", "-")
        assert {line.split(" ")[0] for line in server.access.splitlines()} == {peer}

    def test_denied_websocket(self, start: Start) -> None:
        server = start()
        ask(server.address, handshake("/deny"))
        assert actions(server, 3) == [
            ("WSCONNECTING /deny", "-", "-"),
            ("WSREJECT /deny", "-", "-"),
            ("WSDISCONNECT /deny", "-", "-"),
        ]


class TestStartUpLines:
    def test_tcp(self, start: Start) -> None:
        server = start()
        assert "INFO     Starting server at tcp:port=0:interface=127.0.0.1\n" in server.log
        assert f"INFO     Listening on TCP address 127.0.0.1:{server.port}\n" in server.log

    def test_unix(self, start: Start, tmp_path: Path) -> None:
        server = start("-u", str(tmp_path / "s"))
        wait_for(lambda: f"INFO     Starting server at unix:{tmp_path}/s\n" in server.log)

    def test_format_is_an_option(self, start: Start) -> None:
        server = start("--log-fmt", "HERE %(message)s")
        assert re.search("^HERE Starting server at ", server.log, re.MULTILINE)

    @pytest.mark.parametrize("option", ["--verbosity", "-v"])
    def test_nothing_at_verbosity_0(self, start: Start, tmp_path: Path, option: str) -> None:
        server = start("-u", str(tmp_path / "s"), option, "0")
        assert "Starting" not in server.log
