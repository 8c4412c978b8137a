"""Listening sockets, opened for real on loopback and in temporary folders."""

import errno
import json
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from awxfast.errors import ConfigurationError, StartError
from awxfast.process.addresses import parse_endpoint
from awxfast.process.listeners import Listener, find_remedy, open_admin, open_listener, open_unix


def open_described(description: str) -> Listener:
    return open_listener(parse_endpoint(description))


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


class TestTcp:
    def test_port_0_is_named_by_its_real_number(self) -> None:
        with closing(open_described("tcp:port=0:interface=127.0.0.1")) as listener:
            port = listener.sock.getsockname()[1]
            assert port != 0
            assert listener.serving_line == f"Listening on TCP address 127.0.0.1:{port}"

    def test_ipv6(self) -> None:
        with closing(open_described(r"tcp:port=0:interface=\:\:1")) as listener:
            assert listener.sock.family == socket.AF_INET6
            assert listener.serving_line.startswith("Listening on TCP address ::1:")
            assert listener.is_local

    def test_tcp6(self) -> None:
        with closing(open_described(r"tcp6:port=0:interface=\:\:1")) as listener:
            assert listener.sock.family == socket.AF_INET6

    def test_connections_wait_before_anybody_accepts(self) -> None:
        with closing(open_described("tcp:port=0:interface=127.0.0.1")) as listener:
            socket.create_connection(listener.sock.getsockname(), timeout=5).close()

    def test_port_in_use_is_named(self, taken_port: int) -> None:
        with pytest.raises(StartError, match=f"port {taken_port}: Address already in use; choose another"):
            open_described(f"tcp:port={taken_port}:interface=127.0.0.1")

    def test_admin_port_in_use_names_its_option(self, taken_port: int) -> None:
        with pytest.raises(StartError, match=f"port {taken_port}: Address already in use; it is --admin's"):
            open_admin(f"127.0.0.1:{taken_port}")

    def test_address_of_nobody_is_named(self) -> None:
        with pytest.raises(ConfigurationError, match=r"no-such-host\.invalid"):
            open_described("tcp:port=0:interface=no-such-host.invalid")

    def test_address_of_another_machine_is_named(self) -> None:
        with pytest.raises(
            StartError, match=r"192\.0\.2\.1 .*; no interface of this machine has this address: give another --bind"
        ):
            open_described("tcp:port=0:interface=192.0.2.1")

    def test_port_that_is_roots_is_told_so(self) -> None:
        refused = OSError(errno.EACCES, "Permission denied")
        assert find_remedy(refused) == "ports as low as this are root's: choose another --port (or -e)"

    @pytest.mark.parametrize(("interface", "local"), [("127.0.0.1", True), ("127.8.8.8", True), ("0.0.0.0", False)])
    def test_only_loopback_is_local(self, interface: str, local: bool) -> None:
        with closing(open_described(f"tcp:port=0:interface={interface}")) as listener:
            assert listener.is_local is local

    def test_mapped_loopback_is_local(self) -> None:
        with closing(open_described(r"tcp6:port=0:interface=\:\:ffff\:127.0.0.1")) as listener:
            assert listener.is_local


class TestUnix:
    def test_mode_is_set_and_the_file_goes_at_close(self, tmp_path: Path) -> None:
        path = tmp_path / "a.sock"
        with closing(open_described(f"unix:{path}:mode=640")) as listener:
            assert path.stat().st_mode & 0o777 == 0o640
            assert listener.serving_line == f"Listening on UNIX address {path}"
            assert listener.is_local
        assert not path.exists()

    def test_stale_file_is_replaced(self, tmp_path: Path) -> None:
        path = tmp_path / "a.sock"
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
        with closing(open_described(f"unix:{path}")), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))

    def test_living_one_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "a.sock"
        with closing(open_described(f"unix:{path}")):
            with pytest.raises(StartError, match="another process serves"):
                open_described(f"unix:{path}")
            assert path.exists()

    def test_other_file_is_refused_and_kept(self, tmp_path: Path) -> None:
        path = tmp_path / "notes.txt"
        path.write_text("keep me")
        with pytest.raises(StartError, match="is no socket"):
            open_described(f"unix:{path}")
        assert path.read_text() == "keep me"

    def test_path_that_is_too_long_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / ("x" * 120)
        with pytest.raises(StartError, match="can't listen on"):
            open_described(f"unix:{path}")

    def test_close_keeps_a_successors_file(self, tmp_path: Path) -> None:
        path = tmp_path / "a.sock"
        with closing(open_described(f"unix:{path}")):
            path.rename(tmp_path / "moved.sock")
            path.write_text("somebody else's")
        assert path.exists()


class TestDescriptor:
    def test_backlog_is_that_of_whoever_opened_it(self) -> None:
        with (
            socket.create_server(("127.0.0.1", 0), backlog=77) as inherited,
            closing(open_described(f"fd:fileno={inherited.fileno()}")) as listener,
        ):
            assert listener.backlog == 77

    def test_inherited_listener_is_taken_over(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as inherited:
            with closing(open_described(f"fd:fileno={inherited.fileno()}")) as listener:
                assert listener.sock.getsockname() == inherited.getsockname()
            socket.create_connection(inherited.getsockname(), timeout=5).close()

    def test_socket_that_does_not_listen_is_refused(self) -> None:
        with socket.socket() as sock, pytest.raises(ConfigurationError, match="no listening stream socket"):
            open_described(f"fd:fileno={sock.fileno()}")

    def test_datagram_socket_is_refused(self) -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(ConfigurationError, match="no listening"):
            open_described(f"fd:fileno={sock.fileno()}")

    def test_file_is_refused(self, tmp_path: Path) -> None:
        number = os.open(tmp_path, os.O_RDONLY)
        try:
            with pytest.raises(ConfigurationError, match=f"descriptor {number} is no socket"):
                open_described(f"fd:fileno={number}")
        finally:
            os.close(number)

    def test_closed_number_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="descriptor 99999 is no socket"):
            open_described("fd:fileno=99999")


class TestAdmin:
    def test_off(self) -> None:
        assert open_admin("off") is None

    @pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:0", "[::1]:0", ":0"])
    def test_loopback(self, address: str) -> None:
        listener = open_admin(address)
        assert listener is not None
        with closing(listener):
            assert listener.is_local

    def test_socket_file_is_its_owners_alone(self, tmp_path: Path) -> None:
        listener = open_admin(str(tmp_path / "admin.sock"))
        assert listener is not None
        with closing(listener):
            assert (tmp_path / "admin.sock").stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])
    def test_other_addresses_are_refused(self, address: str) -> None:
        with pytest.raises(ConfigurationError, match="only a loopback address"):
            open_admin(address)

    @pytest.mark.parametrize(
        "address", ["8058", "on", "localhost:", "localhost:http", "localhost:70000", "localhost:²"]
    )
    def test_address_that_is_none_is_refused(self, address: str) -> None:
        with pytest.raises(ConfigurationError, match="give HOST:PORT"):
            open_admin(address)

    def test_port_in_use(self, taken_port: int) -> None:
        with pytest.raises(StartError, match="Address already in use"):
            open_admin(f"127.0.0.1:{taken_port}")


def test_listener_goes_on_in_mains_next_program(tmp_path: Path) -> None:
    path = tmp_path / "s"
    listener = open_unix(str(path), 0o600, 7)
    frozen = json.loads(json.dumps(listener.freeze()))
    listener.sock.detach()
    heir = Listener.adopt(frozen)
    with socket.socket(socket.AF_UNIX) as browser:
        browser.connect(str(path))
    assert heir.backlog == 7
    heir.close()
    assert not path.exists()
