"""Lines in daphne's format, held against daphne's own."""

import datetime
import io
from pathlib import Path

import pytest
from awxfast.errors import ConfigurationError
from awxfast.http.access_log import AccessLog, format_client, format_path, open_access_log
from awxfast.settings import Settings
from awxfast.system.queued_stream import drain_streams
from daphne.access import AccessLogGenerator

MOMENT = datetime.datetime(2026, 11, 24, 23, 8, 19)


def line(*args: object) -> str:
    stream = io.StringIO()
    AccessLog(stream, lambda: MOMENT).write(*args)  # type: ignore[arg-type]
    return stream.getvalue()


class TestFormat:
    @pytest.mark.parametrize(
        ("request_", "status", "length"),
        [("GET /a", 404, 23), ("GET /a", 204, 0), ("WSCONNECTING /websocket/", None, None)],
    )
    def test_lines_are_daphnes(self, request_: str, status: int | None, length: int | None) -> None:
        stream = io.StringIO()
        AccessLogGenerator(stream).write_entry("10.0.0.1:80", MOMENT, request_, status, length)
        assert line("10.0.0.1:80", request_, status, length) == stream.getvalue()

    def test_looks_like_this(self) -> None:
        expected = '127.0.0.1:4000 - - [24/Nov/2026:23:08:19] "WSCONNECT /websocket/" - -\n'
        assert line("127.0.0.1:4000", "WSCONNECT /websocket/") == expected

    def test_client_on_a_unix_socket_has_no_address(self) -> None:
        assert format_client(None) == "-"
        assert format_client(("::1", 80)) == "::1:80"

    @pytest.mark.parametrize(("path", "written"), [("/websocket/", "/websocket/"), ('/a\n"b c', "/a%0A%22b%20c")])
    def test_paths_can_not_break_a_line(self, path: str, written: str) -> None:
        assert format_path(path) == written


class TestLongPaths:
    """A path of 63 KB was 379 KB of log."""

    @pytest.mark.parametrize("character", ["a", "\x01", "\u20ac"])
    def test_line_is_cut_at_2_kib_after_escaping(self, character: str) -> None:
        written = line("127.0.0.1:4000", f"WSCONNECTING {format_path('/' + character * 63_000)}")
        assert len(written) <= 2048 + len('127.0.0.1:4000 - - [24/Nov/2026:23:08:19] "" - -\n')
        assert '..." - -' in written

    def test_so_is_a_plain_requests(self) -> None:
        target = AccessLog(io.StringIO()).format_target(b"/" + b"a" * 63_000, b"")
        assert len(line("-", f"GET {target}", 404, 23)) < 2200

    def test_longest_that_fits_is_whole(self) -> None:
        assert format_path("/" + "a" * 2047) == "/" + "a" * 2047


class TestRotation:
    def test_stream_may_be_replaced(self) -> None:
        first, second = io.StringIO(), io.StringIO()
        log = AccessLog(first)
        log.stream = second
        log.write("a", "b")
        assert not first.getvalue()
        assert second.getvalue()


class FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


class TestFaults:
    def test_full_disk_costs_only_the_line(self) -> None:
        AccessLog(FullDisk()).write("a", "b")


class TestOpening:
    def test_stdout_from_verbosity_1_on(self) -> None:
        assert open_access_log(Settings(verbosity=0)) is None
        assert open_access_log(Settings(verbosity=1)) is not None
        assert open_access_log(Settings(verbosity=0, access_log="-")) is not None

    def test_file_is_appended_to(self, tmp_path: Path) -> None:
        path = tmp_path / "access.log"
        path.write_text("before\n")
        log = open_access_log(Settings(verbosity=0, access_log=str(path)))
        assert log is not None
        log.write("127.0.0.1:1", "GET /")
        assert isinstance(log.stream, io.TextIOWrapper)
        drain_streams()
        log.stream.close()
        assert path.read_text().startswith("before\n127.0.0.1:1 - - [")

    def test_file_that_can_not_be_opened_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=f"--access-log {tmp_path}/no/log: No such file"):
            open_access_log(Settings(access_log=f"{tmp_path}/no/log"))
