"""ListenAddress descriptions, as daphne builds and Twisted reads them."""

import pytest
from awxfast.errors import ConfigurationError
from awxfast.process.addresses import describe_endpoints, list_endpoints, parse_endpoint
from awxfast.settings import Settings
from daphne.endpoints import build_endpoint_description_strings


class TestDescriptions:
    def test_nothing_asked_for_is_daphnes_default(self) -> None:
        assert describe_endpoints(Settings()) == ["tcp:port=8000:interface=127.0.0.1"]

    def test_port_alone_listens_on_loopback(self) -> None:
        assert describe_endpoints(Settings(port=0)) == ["tcp:port=0:interface=127.0.0.1"]

    def test_host_alone_listens_on_8000(self) -> None:
        assert describe_endpoints(Settings(host="0.0.0.0")) == ["tcp:port=8000:interface=0.0.0.0"]

    def test_unix_socket_alone_opens_no_port(self) -> None:
        assert describe_endpoints(Settings(unix_socket="/run/a.sock")) == ["unix:/run/a.sock"]

    @pytest.mark.parametrize(
        ("host", "port", "unix_socket", "file_descriptor"),
        [
            ("::1", 8051, None, None),
            ("[::1]", 1, "/run/a.sock", None),
            ("10.0.0.5", 80, "/b", 0),
            (None, None, "/c", 3),
        ],
    )
    def test_they_are_those_of_daphne(
        self, host: str | None, port: int | None, unix_socket: str | None, file_descriptor: int | None
    ) -> None:
        theirs = build_endpoint_description_strings(host, port, unix_socket, file_descriptor)
        settings = Settings(host=host, port=port, unix_socket=unix_socket, file_descriptor=file_descriptor)
        assert describe_endpoints(settings) == sorted(theirs)

    def test_they_are_sorted_with_those_given(self) -> None:
        settings = Settings(port=1, endpoints=("unix:/z", "fd:fileno=3"))
        assert describe_endpoints(settings) == ["fd:fileno=3", "tcp:port=1:interface=127.0.0.1", "unix:/z"]


class TestTcp:
    def test_named_fields(self) -> None:
        endpoint = parse_endpoint("tcp:port=8051:interface=127.0.0.1:backlog=7")
        assert (endpoint.kind, endpoint.interface, endpoint.port, endpoint.backlog) == ("tcp", "127.0.0.1", 8051, 7)

    def test_port_in_the_first_place(self) -> None:
        assert parse_endpoint("tcp:8051:interface=10.0.0.5").port == 8051

    def test_without_an_interface_it_is_all_of_ipv4(self) -> None:
        assert parse_endpoint("tcp:8051").interface == "0.0.0.0"

    def test_escaped_colons_belong_to_the_address(self) -> None:
        assert parse_endpoint(r"tcp:port=1:interface=\:\:1").interface == "::1"

    def test_tcp6_without_an_interface_is_all_of_ipv6(self) -> None:
        endpoint = parse_endpoint("tcp6:port=8051")
        assert (endpoint.kind, endpoint.interface) == ("tcp6", "::")

    def test_own_ipv6_description_is_read_back(self) -> None:
        (endpoint,) = list_endpoints(Settings(host="::1", port=8051))
        assert (endpoint.interface, endpoint.port) == ("::1", 8051)


class TestUnixAndDescriptors:
    def test_mode_is_octal(self) -> None:
        endpoint = parse_endpoint("unix:/run/a.sock:mode=660")
        assert (endpoint.path, endpoint.mode) == ("/run/a.sock", 0o660)

    def test_mode_is_666_unless_given_as_in_twisted(self) -> None:
        assert parse_endpoint("unix:/run/a.sock").mode == 0o666

    def test_descriptor(self) -> None:
        assert parse_endpoint("fd:fileno=3").descriptor == 3
        assert parse_endpoint("fd:3").descriptor == 3


class TestTls:
    def test_files_interface_and_port(self) -> None:
        endpoint = parse_endpoint("ssl:443:privateKey=/k.pem:certKey=/c.pem:interface=127.0.0.1:backlog=7")
        assert (endpoint.kind, endpoint.port, endpoint.interface, endpoint.backlog) == ("ssl", 443, "127.0.0.1", 7)
        assert (endpoint.private_key, endpoint.certificate) == ("/k.pem", "/c.pem")

    def test_defaults_are_twisteds(self) -> None:
        endpoint = parse_endpoint("ssl:port=443")
        assert (endpoint.private_key, endpoint.certificate) == ("server.pem", "server.pem")
        assert parse_endpoint("ssl:443:privateKey=/both.pem").certificate == "/both.pem"
        assert endpoint.interface == "0.0.0.0"


class TestSystemd:
    def test_index(self) -> None:
        endpoint = parse_endpoint("systemd:domain=INET:index=1")
        assert (endpoint.kind, endpoint.domain, endpoint.index, endpoint.name) == ("systemd", "INET", 1, "")

    def test_name(self) -> None:
        endpoint = parse_endpoint("systemd:domain=UNIX:name=browsers.socket")
        assert (endpoint.domain, endpoint.index, endpoint.name) == ("UNIX", None, "browsers.socket")


class TestBadDescriptions:
    def test_other_strings_get_an_error_that_names_all_kinds(self) -> None:
        with pytest.raises(ConfigurationError, match=r"use tcp:, tcp6:, unix:, fd:, ssl: and systemd:$"):
            parse_endpoint("onion:port=1")

    @pytest.mark.parametrize(
        ("description", "fault"),
        [
            ("onion:port=1", "unknown kind 'onion'"),
            ("8000", "unknown kind"),
            ("tcp:", "port is missing"),
            ("tcp:interface=127.0.0.1", "port is missing"),
            ("tcp:port=http", "port is no number"),
            ("tcp:port=70000", "port is no number"),
            ("tcp:port=-1", "port is no number"),
            ("tcp:port=1:colour=red", "'colour' is not understood"),
            ("tcp:1:2", "'2' is not understood"),
            ("unix:", "address is missing"),
            ("unix:/a:mode=999", "mode is no number"),
            ("fd:fileno=x", "fileno is no number"),
            ("ssl:privateKey=a:certKey=b", "port is missing"),
            ("ssl:443:privateKey=a:extraCertChain=c", "'extraCertChain' is not understood"),
            ("systemd:index=0", "domain is missing"),
            ("systemd:domain=IPX:index=0", "domain is one of INET, INET6, UNIX, not 'IPX'"),
            ("systemd:domain=INET", "give index or name"),
            ("systemd:domain=INET:index=0:name=a", "give index or name"),
            ("systemd:domain=INET:index=-1", "index is no number"),
        ],
    )
    def test_the_fault_is_named(self, description: str, fault: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            parse_endpoint(description)
        assert fault in str(caught.value)
        assert repr(description) in str(caught.value)
