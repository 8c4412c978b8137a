"""Peers from a file that people edit while the dialler runs."""

import asyncio
from pathlib import Path

import pytest
from awxfast.broadcast import peers_file
from awxfast.broadcast.peers_file import PeersFile
from awxfast.broadcast.target import Member
from awxfast.errors import ConfigurationError
from peer_server import until


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "peers"
    path.write_text("# all web nodes\n\nweb-1\nweb-2:8052  # behind nginx\n[fd00::5]:80\n")
    return path


def replace(file: Path, text: str) -> None:
    """As editors do it."""
    new = file.with_name("new")
    new.write_text(text)
    new.replace(file)


class TestRead:
    def test_one_peer_a_line(self, file: Path) -> None:
        assert PeersFile(str(file), 443).read() == [
            Member("web-1", "web-1", 443),
            Member("web-2", "web-2", 8052),
            Member("fd00::5", "fd00::5", 80),
        ]

    def test_fault_is_told_with_its_line(self, file: Path) -> None:
        file.write_text("web-1\nweb 2\n")
        with pytest.raises(ConfigurationError, match="line 2"):
            PeersFile(str(file), 443).read()

    def test_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="nowhere"):
            PeersFile(str(tmp_path / "nowhere"), 443).read()

    def test_bytes_that_are_no_text_are_refused(self, file: Path) -> None:
        file.write_bytes(b"\xff\xfe")
        with pytest.raises(ConfigurationError, match="UTF-8"):
            PeersFile(str(file), 443).read()


class TestFollow:
    async def test_change_is_noticed_and_a_fault_changes_nothing(
        self, file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(peers_file, "INTERVAL", 0.01)
        taken: asyncio.Queue[list[Member]] = asyncio.Queue()
        reader = PeersFile(str(file), 443)
        reader.read()
        task = asyncio.create_task(reader.follow(taken.put_nowait))
        replace(file, "not a peer\n")
        await until(lambda: caplog.records)
        replace(file, "web-3\n")
        assert await asyncio.wait_for(taken.get(), 10) == [Member("web-3", "web-3", 443)]
        task.cancel()
        assert taken.empty()
        assert len(caplog.records) == 1
