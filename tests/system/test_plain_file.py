"""What an operator names as a file and is none can't hold the process up."""

import os
from pathlib import Path

import pytest
from awxfast.system import plain_file
from awxfast.system.plain_file import read_plain_file


def test_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a\r\nb\xff")
    assert read_plain_file(tmp_path / "a") == read_plain_file(str(tmp_path / "a")) == b"a\r\nb\xff"


def test_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"key")
    (tmp_path / "link").symlink_to("a")
    assert read_plain_file(tmp_path / "link") == b"key"


def test_pipe_that_nobody_writes_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is no plain file"):
        read_plain_file(tmp_path / "pipe")


@pytest.mark.parametrize("path", ["/dev/zero", "/"])
def test_device_and_folder_are_refused(path: str) -> None:
    with pytest.raises(OSError, match=r"it is no plain file|Is a directory"):
        read_plain_file(path)


def test_huge_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_file, "MOST_BYTES", 3)
    (tmp_path / "a").write_bytes(b"abc")
    assert read_plain_file(tmp_path / "a") == b"abc"
    (tmp_path / "a").write_bytes(b"abcd")
    with pytest.raises(OSError, match="it has more than 3 bytes"):
        read_plain_file(tmp_path / "a")


def test_refusal_leaves_no_descriptor(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    before = len([*Path("/proc/self/fd").iterdir()])
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(OSError, match=" "):
            read_plain_file(path)
    assert len([*Path("/proc/self/fd").iterdir()]) == before
