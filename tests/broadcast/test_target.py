"""URL, Host header and certificate's name of every kind of peer (RFC 3986, 6066, 6874)."""

import ssl

import pytest
from awxfast.broadcast.target import Member, Target, read_peer
from awxfast.errors import ConfigurationError


def sent_name(name: str) -> str | None:
    """The name in the ClientHello that Python's ssl sends for a connection to `name`."""
    outgoing = ssl.MemoryBIO()
    connection = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        connection.do_handshake()
    return name if name.encode() in outgoing.read() else None


class TestTarget:
    @pytest.mark.parametrize(
        ("host", "url", "host_header", "sni"),
        [
            ("fd00::5", "wss://[fd00::5]:8043/p/", "[fd00::5]:8043", None),
            ("::1", "wss://[::1]:8043/p/", "[::1]:8043", None),
            ("fe80::1%eth0", "wss://[fe80::1%eth0]:8043/p/", "[fe80::1]:8043", None),
            ("10.0.0.5", "wss://10.0.0.5:8043/p/", "10.0.0.5:8043", None),
            ("node-1.example", "wss://node-1.example:8043/p/", "node-1.example:8043", "node-1.example"),
            ("NODE-1.Example", "wss://node-1.example:8043/p/", "node-1.example:8043", "node-1.example"),
            ("node-1.example.", "wss://node-1.example:8043/p/", "node-1.example:8043", "node-1.example"),
            ("b\u00fccher.de", "wss://xn--bcher-kva.de:8043/p/", "xn--bcher-kva.de:8043", "xn--bcher-kva.de"),
        ],
    )
    def test_each_kind_of_host(self, host: str, url: str, host_header: str, sni: str | None) -> None:
        target = Target.of("https", host, 8043)
        assert (target.url("/p/"), target.host_header) == (url, host_header)
        assert sent_name(target.certificate_name) == sni

    @pytest.mark.parametrize(
        ("host", "name"), [("fe80::1%eth0", "fe80::1"), ("10.0.0.5", "10.0.0.5"), ("Web-1.", "web-1")]
    )
    def test_certificate_must_be_for_the_name_or_the_address(self, host: str, name: str) -> None:
        assert Target.of("https", host, 443).certificate_name == name

    @pytest.mark.parametrize(("protocol", "port"), [("http", 80), ("https", 443)])
    def test_default_port_is_left_out_of_the_host_header(self, protocol: str, port: int) -> None:
        assert Target.of(protocol, "a.example", port).host_header == "a.example"

    def test_port_of_the_other_protocol_stays(self) -> None:
        assert Target.of("http", "a.example", 443).host_header == "a.example:443"

    def test_plain_protocol_is_ws(self) -> None:
        assert Target.of("http", "a.example", 8052).url("/") == "ws://a.example:8052/"

    @pytest.mark.parametrize(
        "host", ["", ".", "a b", "a/b", "a@b", "a\r\nb", "-a", "a..b", "x" * 254, "fe80::1%", "10.0.0.5%eth0", "a%b"]
    )
    def test_what_nobody_is_called_is_refused(self, host: str) -> None:
        with pytest.raises(ConfigurationError):
            Target.of("https", host, 443)


class TestReadPeer:
    @pytest.mark.parametrize(
        ("text", "host", "port"),
        [
            ("web-1", "web-1", 443),
            ("web-1:8052", "web-1", 8052),
            ("WEB-1.", "web-1", 443),
            ("10.0.0.5:80", "10.0.0.5", 80),
            ("[fd00::5]", "fd00::5", 443),
            ("[fd00::5]:80", "fd00::5", 80),
            ("[fe80::1%eth0]:80", "fe80::1%eth0", 80),
            ("fd00::5", "fd00::5", 443),
            (" web-1 ", "web-1", 443),
        ],
    )
    def test_host_and_port(self, text: str, host: str, port: int) -> None:
        assert read_peer(text, 443) == Member(host, host, port)

    @pytest.mark.parametrize("text", ["", "a:", "a:0", "a:65536", "a:x", "[a]:80", "[fd00::5", "a:b:c", "http://a"])
    def test_other_texts_are_refused(self, text: str) -> None:
        with pytest.raises(ConfigurationError):
            read_peer(text, 443)

    @pytest.mark.parametrize("text", ["https://web-1", "https://web-1/", "http://web-1"])
    def test_url_is_told_how_a_peer_is_written(self, text: str) -> None:
        with pytest.raises(ConfigurationError, match=r"HOST or HOST:PORT is needed.*without https://"):
            read_peer(text, 443)


class TestMember:
    def test_address_is_shown_where_it_differs_from_the_name(self) -> None:
        assert str(Member("web-1", "web-1", 443)) == "web-1:443"
        assert str(Member("web-1", "fd00::5", 443)) == "web-1 ([fd00::5]:443)"

    def test_name_that_the_database_says_is_shown_on_one_line(self) -> None:
        assert str(Member("web\n\x1b[31m", "10.0.0.1", 443)) == "web\\n\\x1b[31m (10.0.0.1:443)"

    def test_one_that_moves_is_the_same_one(self) -> None:
        assert Member("web-1", "10.0.0.1", 443).key == Member("web-1", "10.0.0.2", 443).key
