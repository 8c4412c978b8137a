"""Plain HTTP as applications and clients know it from daphne."""

import base64
import json
import time
from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parity.conftest import Start
from parity.hosts import HostingServer
from parity.raw_client import RawClient, Response, ask
from servers import wait_for

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND")
SEGMENTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
QUERIES = st.from_regex(r"[a-z0-9=&%+]{0,20}", fullmatch=True)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,12}", fullmatch=True).map(lambda name: "x-" + name)
VALUES = st.from_regex(r"[!-~]([ -~]{0,30}[!-~])?", fullmatch=True)
BODIES = st.binary(max_size=20_000)


def echoed(response: Response) -> bytes:
    assert response.status == 200
    return base64.b64decode(response.json()["body"])


class TestRequests:
    @settings(max_examples=25, deadline=None)
    @given(
        method=st.sampled_from(METHODS), segment=SEGMENTS, query=st.from_regex(r"[a-z0-9=&%+]{0,20}", fullmatch=True)
    )
    def test_method_path_and_query_arrive(self, server: HostingServer, method: str, segment: str, query: str) -> None:
        raw_path = "/scope/" + quote(segment)
        scope = ask(server.address, f"{method} {raw_path}?{query} HTTP/1.1\nContent-Length: 0").json()
        assert (scope["method"], scope["query_string"]) == (method, query)
        assert (scope["path"], scope["raw_path"]) == (unquote(raw_path), raw_path)

    @settings(max_examples=25, deadline=None)
    @given(headers=st.lists(st.tuples(NAMES, VALUES), max_size=10))
    def test_headers_arrive_in_lower_case(self, server: HostingServer, headers: list[tuple[str, str]]) -> None:
        lines = "".join(f"\n{name}: {value}" for name, value in headers)
        scope = ask(server.address, f"GET /scope/ HTTP/1.1{lines}").json()
        expected = [["host", "test"], *([name.lower(), value] for name, value in headers)]
        assert sorted(scope["headers"]) == sorted(expected)

    @settings(max_examples=25, deadline=None)
    @given(body=BODIES)
    def test_body_with_a_length_arrives(self, server: HostingServer, body: bytes) -> None:
        assert echoed(ask(server.address, f"POST /echo HTTP/1.1\nContent-Length: {len(body)}", body)) == body

    @settings(max_examples=25, deadline=None)
    @given(chunks=st.lists(st.binary(min_size=1, max_size=5000), max_size=8), step=st.integers(1, 4000))
    def test_chunked_body_arrives_whatever_the_segments(
        self, server: HostingServer, chunks: list[bytes], step: int
    ) -> None:
        data = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
        with RawClient(server.address) as client:
            client.send(b"POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")
            for begin in range(0, len(data), step):
                client.send(data[begin : begin + step])
            assert echoed(client.read_response()) == b"".join(chunks)

    def test_large_body_arrives(self, server: HostingServer) -> None:
        body = bytes(range(256)) * 20_000
        assert echoed(ask(server.address, f"POST /echo HTTP/1.1\nContent-Length: {len(body)}", body)) == body

    def test_head_split_at_every_byte(self, server: HostingServer) -> None:
        with RawClient(server.address) as client:
            for byte in b"GET /echo?a=b HTTP/1.1\r\nHost: test\r\n\r\n":
                client.send(bytes([byte]))
            assert client.read_response().json()["query"] == "a=b"

    def test_expect_is_answered_when_the_application_reads(self, server: HostingServer) -> None:
        with RawClient(server.address) as client:
            head = b"POST /echo HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
            client.send(head)
            assert client.read_head()[0] == 100
            client.send(b"hello")
            assert echoed(client.read_response()) == b"hello"

    @pytest.mark.parametrize("byte", [0x0B, 0x0C, 0x1C, 0x1D, 0x1E, 0x85])
    def test_control_byte_in_a_header_value_gets_400(self, server: HostingServer, byte: int) -> None:
        """CVE-2026-44546."""
        assert ask(server.address, f"GET /scope/ HTTP/1.1\nX-Value: a{chr(byte)}b").status == 400

    def test_name_with_an_underscore_is_dropped(self, server: HostingServer) -> None:
        scope = ask(server.address, "GET /scope/ HTTP/1.1\nX_Remote_User: root\nX-Other: yes").json()
        assert scope["headers"] == [["host", "test"], ["x-other", "yes"]]

    @pytest.mark.parametrize("line", ["GET /\xe9 HTTP/1.1", "GET /?\xe9 HTTP/1.1", "GET HTTP/1.1", "nonsense"])
    def test_what_is_no_request_gets_400(self, server: HostingServer, line: str) -> None:
        assert ask(server.address, line).status == 400


class TestResponses:
    @pytest.mark.parametrize("status", [200, 201, 204, 302, 304, 404, 418, 500, 503, 599])
    def test_status_is_the_applications(self, server: HostingServer, status: int) -> None:
        assert ask(server.address, f"GET /status/{status} HTTP/1.1").status == status

    def test_body_without_a_length_comes_in_chunks(self, server: HostingServer) -> None:
        response = ask(server.address, "GET /chunks HTTP/1.1")
        assert (response.header("transfer-encoding"), response.body) == ("chunked", b"one two three")

    def test_http_1_0_gets_the_body_until_the_end(self, server: HostingServer) -> None:
        response = ask(server.address, "GET /chunks HTTP/1.0")
        assert (response.header("transfer-encoding"), response.body) == (None, b"one two three")

    def test_head_gets_no_body(self, server: HostingServer) -> None:
        with RawClient(server.address) as client:
            assert client.request("HEAD /scope/ HTTP/1.1").body == b""
            assert client.request("GET /echo HTTP/1.1").status == 200

    @pytest.mark.parametrize(
        ("options", "name"), [((), "daphne"), (("-s", "mine"), "mine"), (("--no-server-name",), None)]
    )
    def test_server_name_is_an_option(self, start: Start, options: tuple[str, ...], name: str | None) -> None:
        assert ask(start(*options).address, "GET /echo HTTP/1.1").header("server") == name

    def test_fault_of_the_application_gets_500(self, server: HostingServer) -> None:
        assert ask(server.address, "GET /raise HTTP/1.1").status == 500
        wait_for(lambda: "Exception inside application: a fault of the application" in server.log)

    def test_header_that_is_text_gets_500(self, server: HostingServer) -> None:
        assert ask(server.address, "GET /badheader HTTP/1.1").status == 500

    def test_what_comes_after_the_end_is_dropped(self, server: HostingServer) -> None:
        with RawClient(server.address) as client:
            assert client.request("GET /twice HTTP/1.1").body == b"first"
            assert client.request("GET /status/200 HTTP/1.1").body == b"here"


class TestConnections:
    def test_connection_is_kept(self, server: HostingServer) -> None:
        with RawClient(server.address) as client:
            for number in range(5):
                assert client.request(f"GET /echo?{number} HTTP/1.1").json()["query"] == str(number)

    def test_close_is_honoured(self, server: HostingServer) -> None:
        with RawClient(server.address) as client:
            assert client.request("GET /echo HTTP/1.1\nConnection: close").status == 200
            assert client.read_to_end() == b""

    def test_pipelined_requests_are_answered_in_order(self, server: HostingServer) -> None:
        with RawClient(server.address) as client:
            lines = [f"POST /echo?{n} HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\n{n:03}" for n in range(20)]
            client.send("".join(lines).encode())
            for number in range(20):
                response = client.read_response()
                assert response.json()["query"] == str(number)
                assert echoed(response) == f"{number:03}".encode()

    def test_application_is_told_that_the_client_is_gone(self, server: HostingServer) -> None:
        with RawClient(server.address) as client:
            client.send(b"GET /disconnect HTTP/1.1\r\nHost: test\r\n\r\n")
            time.sleep(0.2)
            client.reset()
        wait_for(lambda: "http.disconnect" in json.loads(ask(server.address, "GET /seen HTTP/1.1").body))

    def test_answer_that_takes_too_long_is_503(self, start: Start) -> None:
        server = start("--http-timeout", "1")
        assert ask(server.address, "GET /never HTTP/1.1").status == 503
        assert ask(server.address, "GET /echo HTTP/1.1").status == 200

    def test_application_that_outlives_its_client_is_cancelled(self, start: Start) -> None:
        """Whoever never ends holds up nobody (django/daphne#579)."""
        server = start("--application-close-timeout", "1")
        with RawClient(server.address) as client:
            client.send(b"GET /never HTTP/1.1\r\nHost: test\r\n\r\n")
            time.sleep(0.2)
            client.reset()
        wait_for(lambda: "took too long to" in server.log)
        assert ask(server.address, "GET /echo HTTP/1.1").status == 200
