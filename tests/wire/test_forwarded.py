"""Forwarded headers, as proxies and attackers write them (django/daphne#90)."""

import pytest
from awxfast.errors import ConfigurationError
from awxfast.wire.forwarded import ForwardedHeaders, is_trusted, read_networks

PEER = ("10.0.0.1", 4000)


def find(*headers: tuple[bytes, bytes], trusted: tuple[str, ...] = ()) -> tuple[str, int] | None:
    return ForwardedHeaders.configure("X-Forwarded-For", "X-Forwarded-Port", trusted).find_client(PEER, headers)


class TestForwardedAddress:
    @pytest.mark.parametrize(
        ("value", "client"),
        [
            (b"203.0.113.7", ("203.0.113.7", 0)),
            (b"203.0.113.7, 10.0.0.1", ("203.0.113.7", 0)),
            (b"2001:db8:85a3::8a2e:370:7334", ("2001:db8:85a3::8a2e:370:7334", 0)),
            (b"[2001:db8::1]:443", ("2001:db8::1", 0)),
            (b"unknown", ("unknown", 0)),
            (b"", PEER),
            (b"," * 8192, PEER),
            (b"\x9c", PEER),
            (b"x" * 65, PEER),
        ],
    )
    def test_first_entry_is_the_client(self, value: bytes, client: tuple[str, int]) -> None:
        assert find((b"x-forwarded-for", value)) == client

    def test_without_the_header_the_peer_is_the_client(self) -> None:
        assert find((b"x-forwarded-port", b"443")) == PEER

    @pytest.mark.parametrize(("value", "port"), [(b"443", 443), (b"x", 0), (b"", 0), (b"-1", 0), (b"9" * 400, 0)])
    def test_port_has_a_header_of_its_own(self, value: bytes, port: int) -> None:
        assert find((b"x-forwarded-for", b"a"), (b"x-forwarded-port", value)) == ("a", port)


class TestTrustedProxies:
    @pytest.mark.parametrize("trusted", ["10.0.0.1", "10.0.0.0/8"])
    def test_trusted_proxy_is_believed(self, trusted: str) -> None:
        assert find((b"x-forwarded-for", b"a"), trusted=(trusted,)) == ("a", 0)

    @pytest.mark.parametrize("trusted", ["10.0.0.2", "::1"])
    def test_others_are_not(self, trusted: str) -> None:
        assert find((b"x-forwarded-for", b"a"), trusted=(trusted,)) == PEER

    @pytest.mark.parametrize(
        ("trusted", "peer"),
        [
            ("127.0.0.1", "::ffff:127.0.0.1"),
            ("127.0.0.0/8", "::ffff:127.0.0.1"),
            ("::ffff:127.0.0.1", "127.0.0.1"),
            ("::ffff:127.0.0.0/104", "127.0.0.1"),
            ("::/0", "::ffff:127.0.0.1"),
        ],
    )
    def test_ipv4_address_means_the_mapped_one_too(self, trusted: str, peer: str) -> None:
        assert is_trusted((peer, 1), read_networks([trusted]))

    @pytest.mark.parametrize("trusted", ["127.0.0.2", "::ffff:127.0.0.2", "::1"])
    def test_mapped_address_is_no_other(self, trusted: str) -> None:
        assert not is_trusted(("::ffff:127.0.0.1", 1), read_networks([trusted]))

    @pytest.mark.parametrize(
        ("value", "scheme"),
        [
            (b"https, http", "https"),
            (b"https,", "https"),
            (b"wss,ws", "https"),
            (b" http ,https", "http"),
            (b",", None),
        ],
    )
    def test_of_several_schemes_the_first_counts(self, value: bytes, scheme: str | None) -> None:
        forwarded = ForwardedHeaders.configure("X-Forwarded-For", "X-Forwarded-Port")
        assert forwarded.find_scheme(None, [(b"x-forwarded-for", b"a"), (b"x-forwarded-proto", value)]) == scheme

    def test_a_unix_socket_is_as_good_as_a_trusted_address(self) -> None:
        forwarded = ForwardedHeaders.configure("X-Forwarded-For", "X-Forwarded-Port", ("10.0.0.2",))
        assert forwarded.find_client(None, [(b"x-forwarded-for", b"a")]) == ("a", 0)

    def test_what_is_no_address_is_refused_by_name(self) -> None:
        with pytest.raises(ConfigurationError, match="nonsense"):
            ForwardedHeaders.configure("a", "b", ("nonsense",))

    @pytest.mark.parametrize(
        ("text", "remedy"),
        [
            ("10.0.0.5/8", "that network is written 10.0.0.0/8"),
            ("fd00::5/64", "that network is written fd00::/64"),
            ("proxy.example", "give an address or a network, as 10.0.0.5 or 10.0.0.0/8; names are not looked up"),
            ("10.0.0.5:80", "give an address or a network"),
        ],
    )
    def test_what_is_no_network_is_told_the_right_form(self, text: str, remedy: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            read_networks([text])
        assert str(caught.value).startswith(f"--trusted-proxy {text}: {remedy}")
