"""Hosts of this machine, and what only looks like one."""

import pytest
from awxfast.wire.hosts import is_loopback, list_names, read_host, read_origin


class TestLoopback:
    @pytest.mark.parametrize(
        "host",
        [
            "localhost",
            "app.localhost",
            "ip6-localhost",
            "localhost:8058",
            "localhost.",
            "127.0.0.1",
            "127.0.0.1:8058",
            "127.255.0.9:1",
            "[::1]",
            "[::1]:8058",
            "[0:0:0:0:0:0:0:1]:8058",
            "[::ffff:127.0.0.1]:8058",
        ],
    )
    def test_names_and_addresses_of_this_machine(self, host: str) -> None:
        assert is_loopback(host)

    @pytest.mark.parametrize(
        "host",
        [
            "",
            "evil.example",
            "evil.example:8058",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.1@evil.example",
            "evil.example@127.0.0.1",
            "localhost,evil.example",
            "localhost:8058:9",
            "localhost:x",
            "localhost..",
            "10.0.0.1",
            "0.0.0.0",
            "[::]",
            "[::ffff:10.0.0.1]",
            "::1",
            "[localhost]",
            "[127.0.0.1]x",
            "2130706433",
        ],
    )
    def test_all_else_is_elsewhere(self, host: str) -> None:
        assert not is_loopback(host)


class TestHost:
    @pytest.mark.parametrize(
        ("values", "host"),
        [
            ([b"LocalHost:1"], "localhost:1"),
            ([b" a "], "a"),
            ([], ""),
            ([b""], ""),
            ([b"localhost", b"localhost"], ""),
            ([b"a b"], ""),
        ],
    )
    def test_there_is_one_or_none(self, values: list[bytes], host: str) -> None:
        assert read_host(values) == host


class TestOrigin:
    @pytest.mark.parametrize(
        ("origin", "host"),
        [
            (b"https://AWX.example:8443", "awx.example:8443"),
            (b"null", ""),
            (b"", ""),
            (b"file://", ""),
            (b"https://[", ""),
            (b"https://awx.example", "awx.example:443"),
            (b"http://[FD00::5]", "[fd00::5]:80"),
            (b"moz-extension://abc", "abc"),
        ],
    )
    def test_it_names_the_pages_host(self, origin: bytes, host: str) -> None:
        assert read_origin(origin) == host


class TestNames:
    @pytest.mark.parametrize(
        ("host", "names"),
        [
            ("awx.example:8443", {"awx.example:8443", "awx.example"}),
            ("[::1]:1", {"[::1]:1", "[::1]"}),
            ("awx.example", {"awx.example", "awx.example:80", "awx.example:443"}),
            ("[::1]", {"[::1]", "[::1]:80", "[::1]:443"}),
            ("", set()),
        ],
    )
    def test_with_and_without_the_port(self, host: str, names: set[str]) -> None:
        assert list_names(host) == names
