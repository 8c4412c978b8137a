"""An upgrade's head, of which is made what is asked for."""

from awxfast._rust import RequestHead, RequestReader
from awxfast.http.upgrade_request import UpgradeRequest
from awxfast.wire.forwarded import Address

HEAD = (
    b"GET /web%20socket/?token=1 HTTP/1.1\r\nHost: here\r\nCookie: a=1\r\nCookie: b=2\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def read(find_server: list[Address]) -> UpgradeRequest:
    head = RequestReader(1000).receive(HEAD)[0]
    assert isinstance(head, RequestHead)
    return UpgradeRequest(head, ("192.0.2.1", 7), find_server.pop, "/mount", "https")


class TestFields:
    def test_all_are_those_of_the_head(self) -> None:
        request = read([])
        assert (request.method, request.version, request.path) == ("GET", "1.1", "/web socket/")
        assert (request.raw_path, request.query) == (b"/web%20socket/", b"token=1")
        assert request.headers[:3] == ((b"host", b"here"), (b"cookie", b"a=1"), (b"cookie", b"b=2"))
        assert (request.client, request.root_path, request.scheme) == (("192.0.2.1", 7), "/mount", "https")

    def test_lines_are_found_by_their_name(self) -> None:
        request = read([])
        assert request.values(b"cookie") == [b"a=1", b"b=2"]
        assert request.first(b"cookie") == b"a=1"
        assert (request.values(b"origin"), request.first(b"origin")) == ([], None)

    def test_own_address_is_looked_for_once_and_only_when_asked_for(self) -> None:
        servers: list[Address] = [("192.0.2.2", 80)]
        request = read(servers)
        assert servers
        assert request.server == ("192.0.2.2", 80)
        assert request.server == ("192.0.2.2", 80)
