"""Where the nodes' secret comes from."""

from pathlib import Path

import pytest
from awxfast.errors import ConfigurationError
from awxfast.wire.secret import find_secrets, read_secret_file, secret_header, strip_line_end


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

    def test_empty_ones_are_nobodys(self, tmp_path: Path) -> None:
        (tmp_path / "empty").write_text("\n")
        assert find_secrets((), {}) == ()
        assert find_secrets([str(tmp_path / "empty")], {"AWXFAST_SECRET": "e"}, "a") == ()


class TestHeader:
    @pytest.mark.parametrize(("values", "header"), [([], b""), ([b"a"], b"a"), ([b"a", b"a"], b"a,a")])
    def test_several_lines_are_one_with_commas(self, values: list[bytes], header: bytes) -> None:
        assert secret_header(values) == header
