"""What a request says of itself, and what a proxy may say of it."""

from awxfast._rust import RequestHead, RequestReader
from awxfast.http.proxies import Proxies
from awxfast.wire.forwarded import ForwardedHeaders, RootPathHeader, read_networks

PEER = ("192.0.2.1", 4711)
SERVER = ("127.0.0.1", 8052)
LINES = ("X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https", "Daphne-Root-Path: /a%20b")


def read_head(*lines: str) -> RequestHead:
    data = "\r\n".join(["GET /p%20q?r=s HTTP/1.1", "Host: a", *lines, "", ""]).encode()
    head = RequestReader(65_536, max_trailers=0).receive(data)[0]
    assert isinstance(head, RequestHead)
    return head


def trust(*networks: str) -> Proxies:
    forwarded = ForwardedHeaders.configure("X-Forwarded-For", "X-Forwarded-Port", networks)
    return Proxies("/mount", forwarded, RootPathHeader(read_networks(networks)))


class TestPlainRequests:
    def test_scope_has_the_head_and_the_peer(self) -> None:
        scope = Proxies().read_scope(read_head("A: b"), PEER, SERVER, "http")
        assert scope == {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/p q",
            "raw_path": b"/p%20q",
            "query_string": b"r=s",
            "root_path": "",
            "headers": [(b"host", b"a"), (b"a", b"b")],
            "client": PEER,
            "server": SERVER,
        }

    def test_proxy_that_is_believed_names_client_scheme_and_root_path(self) -> None:
        scope = trust("192.0.2.0/24").read_scope(read_head(*LINES), PEER, SERVER, "http")
        assert (scope["client"], scope["scheme"], scope["root_path"]) == (("203.0.113.7", 0), "https", "/a b")
        assert b"daphne-root-path" not in dict(scope["headers"])

    def test_anybody_else_is_not_believed_and_its_root_path_is_taken_out(self) -> None:
        scope = trust("10.0.0.1").read_scope(read_head(*LINES), PEER, SERVER, "http")
        assert (scope["client"], scope["scheme"], scope["root_path"]) == (PEER, "http", "/mount")
        assert b"daphne-root-path" not in dict(scope["headers"])

    def test_nobody_is_asked_where_forwarded_headers_do_not_count(self) -> None:
        scope = Proxies("/mount").read_scope(read_head(*LINES), PEER, SERVER, "http")
        assert (scope["client"], scope["scheme"], scope["root_path"]) == (PEER, "http", "/mount")
        assert dict(scope["headers"])[b"daphne-root-path"] == b"/a%20b"


class TestUpgrades:
    def test_request_has_the_same(self) -> None:
        request = trust("192.0.2.1").read_upgrade(read_head(*LINES), PEER, lambda: SERVER, "http")
        assert (request.method, request.path, request.query, request.raw_path) == ("GET", "/p q", b"r=s", b"/p%20q")
        assert (request.client, request.scheme, request.root_path) == (("203.0.113.7", 0), "https", "/a b")
        assert (request.server, request.values(b"daphne-root-path")) == (SERVER, [])


class TestWhoIsRefused:
    def test_log_names_the_client_behind_a_proxy_that_is_believed(self) -> None:
        head = read_head("X-Forwarded-For: 203.0.113.7")
        assert trust("192.0.2.1").read_client(head, PEER) == ("203.0.113.7", 0)
        assert trust("10.0.0.1").read_client(head, PEER) == PEER
        assert Proxies().read_client(head, PEER) == PEER
