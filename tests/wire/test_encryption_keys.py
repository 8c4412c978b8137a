"""Keys of an encrypted layer: where they come from, and that nobody sees them."""

import os
from pathlib import Path

import pytest
from awxfast.errors import ConfigurationError
from awxfast.wire.encryption_keys import EncryptionKeys, read_configured_keys, read_key_files


def write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


class TestFiles:
    def test_each_line_is_a_key_and_files_follow_each_other(self, tmp_path: Path) -> None:
        first = write(tmp_path / "a", b"new key\r\n\n  \nold key")
        second = write(tmp_path / "b", "schlüssel \n".encode())
        assert read_key_files([first, second]) == (b"new key", b"old key", "schlüssel ".encode())
        assert read_key_files([]) == ()

    @pytest.mark.parametrize("data", [b"", b"\n", b" \r\n\t\n"])
    def test_file_without_a_key_is_refused(self, tmp_path: Path, data: bytes) -> None:
        with pytest.raises(ConfigurationError, match=r"--encryption-key-file .*: there is no key in it"):
            read_key_files([write(tmp_path / "a", data)])

    def test_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="--encryption-key-file /no/such: No such file"):
            read_key_files(["/no/such"])

    def test_pipe_in_the_file_s_place_changes_nothing_and_holds_nothing_up(self, tmp_path: Path) -> None:
        keys = EncryptionKeys([write(tmp_path / "a", b"one")])
        (tmp_path / "a").unlink()
        os.mkfifo(tmp_path / "a")
        with pytest.raises(ConfigurationError, match=r"--encryption-key-file .*: it is no plain file"):
            keys.reload()
        assert keys.values == (b"one",)

    def test_files_are_read_again(self, tmp_path: Path) -> None:
        file = write(tmp_path / "a", b"one")
        keys = EncryptionKeys([file], [b"of the layer"])
        assert (keys.values, keys.reload()) == ((b"one",), False)
        write(tmp_path / "a", b"two\none")
        assert (keys.reload(), keys.values) == (True, (b"two", b"one"))

    def test_broken_file_leaves_the_keys_as_they_were(self, tmp_path: Path) -> None:
        keys = EncryptionKeys([write(tmp_path / "a", b"one")])
        write(tmp_path / "a", b"")
        with pytest.raises(ConfigurationError):
            keys.reload()
        assert keys.values == (b"one",)


class TestLayer:
    def test_keys_of_the_layer_count_without_files(self) -> None:
        keys = EncryptionKeys([], read_configured_keys("default", {"symmetric_encryption_keys": ["a", b"b"]}))
        assert (keys.values, keys.reload()) == ((b"a", b"b"), False)
        assert read_configured_keys("default", {}) == ()

    @pytest.mark.parametrize("wrong", ["a bare secret", b"a bare secret", [7]])
    def test_what_channels_redis_refuses_is_refused_unrepeated(self, wrong: object) -> None:
        with pytest.raises(ConfigurationError, match="must be a list of texts") as caught:
            read_configured_keys("default", {"symmetric_encryption_keys": wrong})
        assert "secret" not in str(caught.value)

    def test_keys_are_not_printed(self) -> None:
        assert "sesame" not in repr(EncryptionKeys([], [b"sesame"]))
