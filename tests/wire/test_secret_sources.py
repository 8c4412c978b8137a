"""Where the nodes' secret comes from."""

from pathlib import Path

import pytest
from awxfast.errors import ConfigurationError
from awxfast.wire.secret_sources import find_secrets, read_secret_file, strip_line_end


class TestFile:
    @pytest.mark.parametrize(
        ("data", "secret"),
        [
            (b"s", b"s"),
            (b"s\n", b"s"),
            (b"s\r\n", b"s"),
            (b"s\n\n", b"s\n"),
            (b" s \n", b" s "),
            (b"s\r", b"s\r"),
            (b"\n", b""),
            (b"", b""),
        ],
    )
    def test_one_line_end_is_not_the_secrets(self, data: bytes, secret: bytes) -> None:
        assert strip_line_end(data) == secret

    def test_secret_is_utf8(self, tmp_path: Path) -> None:
        file = tmp_path / "secret"
        file.write_bytes("🤖starscream\n".encode())
        assert read_secret_file(str(file)) == "🤖starscream"
        file.write_bytes(b"\xff\xfe")
        with pytest.raises(ConfigurationError, match="secret: it is not UTF-8"):
            read_secret_file(str(file))

    def test_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"--secret-file .*none: No such file"):
            read_secret_file(str(tmp_path / "none"))


class TestSources:
    @pytest.fixture
    def files(self, tmp_path: Path) -> list[str]:
        for name in ("new", "old"):
            (tmp_path / name).write_text(name + "\n")
        return [str(tmp_path / "new"), str(tmp_path / "old")]

    def test_files_win_in_their_order(self, files: list[str]) -> None:
        assert find_secrets(files, {"AWXFAST_SECRET": "e"}, "a") == ("new", "old")

    def test_environment_comes_before_the_application(self) -> None:
        assert find_secrets((), {"AWXFAST_SECRET": "e"}, "a") == ("e",)
        assert find_secrets((), {"AWXFAST_SECRET": ""}, "a") == ("a",)

    def test_without_any_there_is_none(self) -> None:
        assert find_secrets((), {}) == ()
        assert find_secrets((), {"AWXFAST_SECRET": ""}, "") == ()

    @pytest.mark.parametrize("content", [b"", b"\n", b"\r\n", b"\n\n", b"\r\n\r\n", b" \t\n"])
    def test_file_that_holds_none_is_refused_by_name(self, files: list[str], tmp_path: Path, content: bytes) -> None:
        (tmp_path / "empty").write_bytes(content)
        for several in ([str(tmp_path / "empty")], [*files, str(tmp_path / "empty")]):
            with pytest.raises(ConfigurationError, match=r"--secret-file .*/empty: the secret is empty"):
                find_secrets(several, {"AWXFAST_SECRET": "e"}, "a")

    @pytest.mark.parametrize("blank", ["\n", " ", "\r\n\n"])
    def test_blank_variable_or_setting_is_refused_by_name(self, blank: str) -> None:
        with pytest.raises(ConfigurationError, match=r"^AWXFAST_SECRET: the secret is empty"):
            find_secrets((), {"AWXFAST_SECRET": blank}, "a")
        with pytest.raises(ConfigurationError, match=r"^BROADCAST_WEBSOCKET_SECRET: the secret is empty"):
            find_secrets((), {}, blank)
