"""Which sockets systemd has passed."""

import os

import pytest
from awxfast.errors import ConfigurationError
from awxfast.process.activation import ActivatedSockets


def passed(count: int, names: str = "", pid: int | None = None) -> dict[str, str]:
    meant = str(os.getpid() if pid is None else pid)
    return {"LISTEN_FDS": str(count), "LISTEN_PID": meant, "LISTEN_FDNAMES": names, "HOME": "/"}


class TestActivatedSockets:
    def test_are_counted_from_descriptor_3(self) -> None:
        sockets = ActivatedSockets(passed(2))
        assert [sockets.find(0, ""), sockets.find(1, "")] == [3, 4]

    def test_are_found_by_name(self) -> None:
        assert ActivatedSockets(passed(2, "nodes.socket:browsers.socket")).find(None, "browsers.socket") == 4

    def test_variables_are_not_passed_on(self) -> None:
        environ = passed(1)
        ActivatedSockets(environ)
        assert environ == {"HOME": "/"}

    def test_those_of_another_process_are_not_ours(self) -> None:
        with pytest.raises(ConfigurationError, match="systemd has passed 0 sockets, none with index 0"):
            ActivatedSockets(passed(1, pid=1)).find(0, "")

    @pytest.mark.parametrize(("index", "name", "wanted"), [(1, "", "with index 1"), (None, "b", "named b")])
    def test_one_that_is_not_there_is_named(self, index: int | None, name: str, wanted: str) -> None:
        with pytest.raises(ConfigurationError, match=f"systemd has passed 1 sockets, none {wanted}; start the .socket"):
            ActivatedSockets(passed(1, "a")).find(index, name)

    def test_without_systemd_there_are_none(self) -> None:
        with pytest.raises(ConfigurationError, match="passed 0 sockets"):
            ActivatedSockets({}).find(0, "")
