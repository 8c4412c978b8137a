"""What awxfast does otherwise than daphne, on purpose: docs/differences.md has the reasons."""

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websockets
from awxfast import __version__
from parity.hosts import HostingServer
from parity.raw_client import RawClient, ask, handshake, read_text_frame, upgrade
from servers import HANG, wait_for
from websockets.sync.client import ClientConnection, connect


@pytest.fixture(scope="module")
def server() -> Iterator[HostingServer]:
    one = HostingServer("awxfast")
    yield one
    one.close()


@pytest.fixture
def start() -> Iterator[Any]:
    running: list[HostingServer] = []

    def start_one(*options: str, application: str = "application:application") -> HostingServer:
        running.append(HostingServer("awxfast", *options, application=application))
        return running[-1]

    yield start_one
    for one in running:
        one.close()


def close_code(browser: ClientConnection) -> int | None:
    """The code of the close that comes, after any messages."""
    try:
        for _ in browser:
            pass
    except websockets.ConnectionClosedError:
        pass
    return browser.close_code


def say(browser: ClientConnection, **message: Any) -> None:
    browser.send(json.dumps(message))


class TestLog:
    def test_the_programs_version_comes_first(self, server: HostingServer) -> None:
        assert server.log.splitlines()[0].endswith(f"INFO     awxfast {__version__}")


class TestCloses:
    def test_old_websocket_is_closed_with_1001(self, start: Any) -> None:
        with connect(start("--websocket_timeout", "1").url("/echo")) as browser:
            assert close_code(browser) == 1001

    def test_connect_timeout_of_minus_1_is_none(self, start: Any) -> None:
        server = start("--websocket_connect_timeout", "-1")
        with RawClient(server.address) as client:
            client.sock.settimeout(3)
            client.send((handshake("/never").replace("\n", "\r\n") + "\r\nHost: test\r\n\r\n").encode())
            with pytest.raises(TimeoutError):
                client.read(1)

    def test_application_that_ends_leaves_no_dead_socket(self, server: HostingServer) -> None:
        with connect(server.url("/end")) as browser:
            assert close_code(browser) == 1011
        began = time.monotonic()
        assert ask(server.address, handshake("/undecided")).status == 403
        assert time.monotonic() - began < 4  # not the connect timeout's 5 s

    def test_message_over_the_limit_gets_1009(self, server: HostingServer) -> None:
        with connect(server.url("/echo"), compression=None) as browser:
            browser.send("x" * 1_048_577)
            assert close_code(browser) == 1009

    def test_what_the_application_sends_has_no_limit(self, server: HostingServer) -> None:
        with connect(server.url("/large"), max_size=None) as browser:
            assert len(browser.recv()) == 3_000_000

    @pytest.mark.parametrize("code", [1001, 1008, 1011, 1013, 3000, 4999])
    def test_application_may_close_with_any_code_and_a_reason(self, server: HostingServer, code: int) -> None:
        with connect(server.url("/say")) as browser:
            say(browser, type="websocket.close", code=code, reason="ä" * 100)
            assert close_code(browser) == code
            assert browser.close_reason == "ä" * 61

    @pytest.mark.parametrize("code", [0, 999, 1005, 1006, 1015, 2999, 5000])
    def test_code_that_can_not_be_sent_is_an_error_of_the_application(self, server: HostingServer, code: int) -> None:
        with connect(server.url("/say")) as browser:
            say(browser, type="websocket.close", code=code)
            assert browser.recv() == f"error: {code} is no code that a close can have"

    def test_close_without_a_code_is_1005(self, start: Any) -> None:
        server = start()
        with RawClient(server.address) as client:
            upgrade(client, "/echo")
            client.send(b"\x88\x80abcd")
            assert client.read(2)[0] == 0x88
        assert wait_for(lambda: ask(server.address, "GET /seen HTTP/1.1").json()) == [1005]

    def test_application_is_told_why_the_browser_closes(self, start: Any) -> None:
        server = start()
        with connect(server.url("/scope")) as browser:
            browser.close(4005, "tab closed")
        assert wait_for(lambda: ask(server.address, "GET /seen HTTP/1.1").json()) == [[4005, "tab closed"]]


class TestWebsocketMessages:
    def test_headers_of_the_acceptance_are_sent(self, server: HostingServer) -> None:
        with RawClient(server.address) as client:
            assert dict(upgrade(client, "/headers"))["x-of-the-application"] == "yes"

    @pytest.mark.parametrize("query", ["accept", "deny"])
    def test_applications_own_server_and_date_win(self, server: HostingServer, query: str) -> None:
        with RawClient(server.address) as client:
            head = handshake(f"/own?{query}", "Host: test", "", "")
            client.send(head.replace("\n", "\r\n").encode())
            _, headers = client.read_head()
            assert sorted(value for name, value in headers if name in ("server", "date")) == ["mine", "today"]

    def test_denial_can_be_the_applications_own_response(self, server: HostingServer) -> None:
        response = ask(server.address, handshake("/denial"))
        assert (response.status, response.header("x-why"), response.body) == (451, "because", b"not here")

    def test_empty_text_is_sent(self, server: HostingServer) -> None:
        with connect(server.url("/say")) as browser:
            say(browser, type="websocket.send", text="")
            assert browser.recv() == ""

    def test_unknown_type_is_an_error_of_the_application(self, server: HostingServer) -> None:
        with connect(server.url("/say")) as browser:
            say(browser, type="websocket.sent", text="x")
            assert browser.recv() == "error: a websocket has no messages of type 'websocket.sent'"


class TestScopes:
    def test_websockets_say_their_scheme_and_version(self, server: HostingServer) -> None:
        with RawClient(server.address) as client:
            upgrade(client, "/scope/")
            scope = json.loads(read_text_frame(client))
        assert (scope["scheme"], scope["http_version"]) == ("ws", "1.1")


class TestPings:
    def test_who_speaks_is_not_pinged(self, start: Any) -> None:
        with RawClient(start("--ping-interval", "2").address) as client:
            upgrade(client, "/echo")
            for _ in range(30):
                client.send(b"\x81\x81\0\0\0\0x")
                assert client.read(3) == b"\x81\x01x"
                time.sleep(0.1)

    def test_peer_that_is_gone_is_noticed_while_it_is_being_sent_to(self, start: Any) -> None:
        server = start("--ping-interval", "1", "--ping-timeout", "1")
        with RawClient(server.address) as client:
            upgrade(client, "/ticks")
            assert b"\x89\0" in client.read_to_end()
        assert wait_for(lambda: ask(server.address, "GET /seen HTTP/1.1").json()) == [1006]

    def test_past_64_that_wait_only_the_newest_is_answered(self, server: HostingServer) -> None:
        with RawClient(server.address) as client:
            upgrade(client, "/echo")
            client.send(b"".join(b"\x89\x82\0\0\0\0" + number.to_bytes(2) for number in range(1000)))
            answers = []
            while 999 not in answers:
                assert client.read(2) == b"\x8a\x02"
                answers.append(int.from_bytes(client.read(2)))
            assert answers == sorted(answers)
            assert len(answers) < 1000


class TestFragments:
    @pytest.mark.parametrize(("count", "answer"), [(1024, 0x81), (1025, 0x88)])
    def test_message_may_have_1024(self, server: HostingServer, count: int, answer: int) -> None:
        with RawClient(server.address) as client:
            upgrade(client, "/echo")
            empty = b"\x80\0\0\0\0"
            client.send(b"\x01" + empty + (b"\0" + empty) * (count - 2) + b"\x80" + empty)
            first, length = client.read(2)
            assert first == answer
            if answer == 0x88:
                assert client.read(length)[:2] == (1009).to_bytes(2)


class TestUnreadMessages:
    def test_browser_is_not_read_any_more_but_pinged_and_its_end_is_noticed(self, start: Any) -> None:
        server = start("--ping-interval", "1", "--ping-timeout", "1", "--application-close-timeout", "1")
        with RawClient(server.address) as client:
            upgrade(client, "/clinging")
            client.sock.settimeout(1)
            with pytest.raises(TimeoutError):
                while True:
                    client.send(b"\x82\xfe\xff\xff\0\0\0\0" + bytes(65_535))
            client.sock.settimeout(HANG)
            assert client.read(6) == b"\x89\0" * 3
        wait_for(lambda: "WSDISCONNECT /clinging" in server.access)
        wait_for(lambda: "took too long to end" in server.log)


class TestHandshakes:
    def test_no_decision_in_time_is_403(self, start: Any) -> None:
        server = start("--websocket_connect_timeout", "1")
        assert ask(server.address, handshake("/never")).status == 403
        assert wait_for(lambda: ask(server.address, "GET /seen HTTP/1.1").json()) == [1006]

    def test_path_without_a_route_is_404_and_one_line(self, start: Any) -> None:
        server = start()
        begin = len(server.log)
        assert ask(server.address, handshake("/route")).status == 404
        assert ask(server.address, "GET /route HTTP/1.1").status == 404
        wait_for(lambda: len(server.log[begin:].splitlines()) >= 2)
        assert "Traceback" not in server.log
        assert len(server.log[begin:].splitlines()) == 2  # one each

    def test_subprotocol_that_was_not_offered_is_an_error_of_the_application(self, start: Any) -> None:
        server = start()
        assert ask(server.address, handshake("/subprotocol/c", "Sec-WebSocket-Protocol: a, b")).status == 500
        wait_for(lambda: "the browser did not offer the subprotocol 'c'" in server.log)

    @pytest.mark.parametrize("value", ["a,,b", "a b", "", "a\x0bb"])
    def test_malformed_subprotocols_get_400(self, server: HostingServer, value: str) -> None:
        assert ask(server.address, handshake("/scope/", f"Sec-WebSocket-Protocol: {value}")).status == 400

    def test_other_version_gets_426(self, server: HostingServer) -> None:
        response = ask(server.address, handshake("/echo").replace("Version: 13", "Version: 12"))
        assert (response.status, response.header("sec-websocket-version")) == (426, "13")

    def test_slow_head_gets_408_and_large_one_431(self, start: Any) -> None:
        server = start("--websocket_connect_timeout", "1", "--max-head", "1000")
        with RawClient(server.address) as client:
            client.send(b"GET / HTTP/1.1\r\n")
            assert client.read_response().status == 408
        assert ask(server.address, "GET /echo HTTP/1.1\nCookie: " + "c" * 1000).status == 431


class TestProxyHeaders:
    def test_root_path_of_somebody_else_than_the_proxy_is_dropped(self, start: Any) -> None:
        server = start("--trusted-proxy", "10.0.0.1", "--root-path", "/awx")
        scope = ask(server.address, "GET /awx/scope/ HTTP/1.1\nDaphne-Root-Path: /x").json()
        assert (scope["root_path"], scope["headers"]) == ("/awx", [["host", "test"]])

    @pytest.mark.parametrize("value", ["", "\xff", "," * 8000])
    def test_nonsense_is_ignored(self, start: Any, value: str) -> None:
        scope = ask(start("--proxy-headers").address, f"GET /scope/ HTTP/1.1\nX-Forwarded-For: {value}")
        assert scope.status == 200

    @pytest.mark.parametrize(("proto", "scheme"), [("https", "wss"), ("http", "ws"), ("javascript", "ws")])
    def test_scheme_of_a_websocket(self, start: Any, proto: str, scheme: str) -> None:
        with RawClient(start("--proxy-headers").address) as client:
            upgrade(client, "/scope/", "X-Forwarded-For: 203.0.113.7", f"X-Forwarded-Proto: {proto}")
            assert json.loads(read_text_frame(client))["scheme"] == scheme


class TestPlainRequests:
    @pytest.mark.parametrize("size", [200 << 20, pytest.param(1 << 30, marks=pytest.mark.long)])
    def test_large_body_takes_no_memory(self, server: HostingServer, size: int) -> None:
        """django/daphne#483, in full with 1 GiB."""
        sent = 0
        with RawClient(server.address) as client:
            client.send(f"POST /slow HTTP/1.1\r\nHost: test\r\nContent-Length: {size}\r\n\r\n".encode())
            client.sock.settimeout(1)
            with pytest.raises(TimeoutError):
                while True:
                    sent += client.sock.send(bytes(1 << 20))
            assert sent < 16 << 20  # the rest waits at the client's
            client.sock.settimeout(HANG)
            ask(server.address, "GET /read HTTP/1.1")
            while sent < size:
                sent += client.sock.send(bytes(min(1 << 20, size - sent)))
            found = client.read_response().json()
        assert found["size"] == size
        assert found["grown"] < 16 << 20

    def test_answer_without_reading_arrives_and_ends_the_connection(self, server: HostingServer) -> None:
        """Bodies larger than memory (django/daphne#483)."""
        with RawClient(server.address) as client:
            client.send(b"POST /refuse HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000000\r\n\r\n", bytes(1_000_000))
            response = client.read_response()
            assert (response.status, response.body) == (413, b"too much")
            assert client.read_to_end() == b""

    def test_small_body_that_was_not_read_leaves_the_connection(self, server: HostingServer) -> None:
        with RawClient(server.address) as client:
            assert client.request("POST /refuse HTTP/1.1\nContent-Length: 1000", bytes(1000)).status == 413
            assert client.request("GET /echo HTTP/1.1").status == 200

    @pytest.mark.parametrize(
        ("head", "status", "text"),
        [
            ("GET /raise HTTP/1.1", 500, "The application failed.\n"),
            ("GET / HTTP/1.1\nX-Name: a\x0bb", 400, "The request can't be read soundly: header value.\n"),
            (handshake("/deny"), 403, "Access denied.\n"),
        ],
    )
    def test_errors_are_plain_text(self, server: HostingServer, head: str, status: int, text: str) -> None:
        response = ask(server.address, head)
        assert (response.status, response.header("content-type")) == (status, "text/plain; charset=utf-8")
        assert response.body.decode() == text

    def test_date(self, server: HostingServer) -> None:
        date = ask(server.address, "GET /echo HTTP/1.1").header("date")
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", date or "")

    @pytest.mark.parametrize(
        ("head", "status"),
        [
            (b"GET /echo HTTP/1.1\r\n\r\n", 400),
            (b"GET /echo HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
            (b"GET /echo HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
            (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            (b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            (b"GET /echo HTTP/3.0\r\nHost: a\r\n\r\n", 505),
            (b"GET /echo HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 500 + b"\r\n", 431),
        ],
    )
    def test_heads_that_are_refused(self, server: HostingServer, head: bytes, status: int) -> None:
        with RawClient(server.address) as client:
            client.send(head)
            assert client.read_to_end().startswith(b"HTTP/1.1 %d " % status)

    def test_answer_to_http_1_0_says_1_1_and_ends_the_connection(self, server: HostingServer) -> None:
        with RawClient(server.address) as client:
            client.sock.sendall(b"GET /chunks HTTP/1.0\r\nHost: test\r\n\r\n")
            answer = b"".join(iter(lambda: client.sock.recv(65_536), b""))
        assert answer.startswith(b"HTTP/1.1 200 ")

    def test_method_arrives_as_sent(self, server: HostingServer) -> None:
        assert ask(server.address, "get /echo HTTP/1.1").json()["method"] == "get"

    def test_half_a_close_is_no_end(self, server: HostingServer) -> None:
        with RawClient(server.address) as client:
            client.send(b"GET /echo HTTP/1.1\r\nHost: test\r\n\r\n")
            client.sock.shutdown(socket.SHUT_WR)
            assert client.read_to_end().startswith(b"HTTP/1.1 200 ")

    def test_response_shorter_than_it_says_ends_the_connection(self, server: HostingServer) -> None:
        with RawClient(server.address) as client:
            client.send(b"GET /short HTTP/1.1\r\nHost: test\r\n\r\n")
            assert client.read_to_end().endswith(b"\r\n\r\nshort")

    def test_response_longer_than_it_says_ends_the_connection(self, start: Any) -> None:
        server = start()
        with RawClient(server.address) as client:
            client.send(b"GET /long HTTP/1.1\r\nHost: test\r\n\r\nGET /echo HTTP/1.1\r\nHost: test\r\n\r\n")
            assert b"too long" not in client.read_to_end()
        wait_for(lambda: "the response's body is longer than its Content-Length" in server.log)


class TestProcess:
    def test_client_of_a_unix_socket_in_the_access_log(self, start: Any, tmp_path: Path) -> None:
        server = start("-u", str(tmp_path / "s"))
        ask(server.address, "GET /status/200 HTTP/1.1")
        assert wait_for(lambda: server.access).startswith("- - - [")

    def test_lifespan(self, start: Any) -> None:
        server = start(application="application:lifespan")
        assert ask(server.address, "GET / HTTP/1.1").json() == {"made": "at the start"}
        server.process.terminate()
        server.process.wait()
        assert "cleaned up" in server.log

    def test_http_2_is_not_offered(self, start: Any) -> None:
        server = start()
        upgrade_wish = "Connection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAAP__"
        response = ask(server.address, f"GET /status/200 HTTP/1.1\n{upgrade_wish}")
        assert (response.status, response.body, response.header("upgrade")) == (200, b"here", None)
        with RawClient(server.address) as client:
            client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            assert client.read_to_end().startswith(b"HTTP/1.1 505 ")
        assert "HTTP/2" not in server.log

    def test_endpoints_that_are_not_offered_are_refused(self) -> None:
        with pytest.raises(AssertionError, match="use tcp:, tcp6:, unix:, fd:, ssl: and systemd:"):
            HostingServer("awxfast", "-e", "onion:80")
