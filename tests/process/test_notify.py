"""sd_notify(3): what the service manager is told."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from awxfast.process.notify import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify.sock"))
        sock.settimeout(5)
        yield sock


class TestStates:
    def test_manager_hears_each_state(self, manager: socket.socket) -> None:
        notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname()})
        notifier.send_ready()
        notifier.send_watchdog()
        notifier.send_stopping()
        assert [manager.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]

    def test_abstract_address(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.bind(f"\0awxfast-test-{os.getpid()}")
            Notifier({"NOTIFY_SOCKET": f"@awxfast-test-{os.getpid()}"}).send_ready()
            assert sock.recv(100) == b"READY=1"

    def test_nobody_asked(self) -> None:
        Notifier({}).send_ready()

    def test_manager_is_gone(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone.sock")}).send_ready()
        assert "can't be told READY=1" in caplog.text


class TestWatchdog:
    def test_pings_come_twice_as_often_as_the_manager_asks(self) -> None:
        assert Notifier({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "30000000"}).watchdog_interval == 15.0

    @pytest.mark.parametrize(
        "environ",
        [
            {},
            {"WATCHDOG_USEC": "30000000"},
            {"NOTIFY_SOCKET": "/x"},
            {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "soon"},
            {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"},
        ],
    )
    def test_not_for_us(self, environ: dict[str, str]) -> None:
        assert Notifier(environ).watchdog_interval is None

    def test_children_inherit_nothing(self) -> None:
        environ = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "PATH": "/bin"}
        Notifier(environ)
        assert environ == {"PATH": "/bin"}
