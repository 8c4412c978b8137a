"""`awxfast reload`, towards those who are no main process, let nobody wait, or have no admin listener."""

import contextlib
import errno
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from awxfast.errors import ConfigurationError, StartError
from awxfast.operate.status import UnixConnection
from awxfast.process import reload_command
from awxfast.process.reload_command import reload, run
from awxfast.process.watchers import FULL, READY, name_watch_socket
from servers import HANG

LISTENS = """
import os, signal, socket, sys
signal.signal(signal.SIGUSR2, lambda *_: os._exit(7))
server = socket.socket(socket.AF_UNIX)
server.bind(chr(0) + "awxfast-reloads-" + str(os.getpid()))
server.listen()
print(flush=True)
connection, _ = server.accept()
connection.sendall({answer!r})
connection.recv(1)
"""


def test_number_that_stands_alone_is_taken_for_a_process() -> None:
    with pytest.raises(ConfigurationError, match=r"unrecognized arguments: 1234; did you mean --pid 1234\?; see"):
        run(["1234"], {})


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield process
        process.kill()


def test_process_of_which_another_one_pretends_to_know_gets_no_signal(sleeper: subprocess.Popen[bytes]) -> None:
    with socket.socket(socket.AF_UNIX) as pretender:
        pretender.bind(name_watch_socket(sleeper.pid))
        pretender.listen()

        def answer() -> None:
            connection, _ = pretender.accept()
            with connection, contextlib.suppress(OSError):  # nobody may listen to it
                connection.sendall(READY)
                connection.recv(1)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(StartError, match="is no main process of awxfast"):
            reload(sleeper.pid)
        thread.join()
    assert sleeper.poll() is None


@pytest.mark.parametrize(
    ("answer", "said"), [(FULL, "too many wait for a reload"), (b"no\n", "does not let this user wait for its reload")]
)
def test_who_may_not_wait_asks_for_nothing(answer: bytes, said: str) -> None:
    with subprocess.Popen([sys.executable, "-c", LISTENS.format(answer=answer)], stdout=subprocess.PIPE) as main:
        assert main.stdout is not None
        main.stdout.readline()
        with pytest.raises(StartError, match=said):
            reload(main.pid)
        assert main.wait(HANG) == 0


def test_who_finds_no_admin_listener_is_told_the_other_way(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"off with an APPLICATION .*; or --pid, the number of its main process$"):
        run(["--admin", str(tmp_path / "none.sock")], {})


def test_who_may_not_ask_the_admin_listener_is_not_sent_to_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: UnixConnection) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(UnixConnection, "connect", refuse)  # root may connect to every file
    with pytest.raises(StartError, match=r"be the server's user, or root$"):
        run(["--admin", str(tmp_path / "admin.sock")], {})


def test_who_names_another_process_is_told_which_one_it_is(sleeper: subprocess.Popen[bytes]) -> None:
    with pytest.raises(StartError, match="is no main process of awxfast; give the one that was started, not its child"):
        run(["--pid", str(sleeper.pid)], {})
    assert sleeper.poll() is None


FULL_BACKLOG = """
import os, signal, socket, time
done = []
signal.signal(signal.SIGUSR2, lambda *_: done.append(1))
server = socket.socket(socket.AF_UNIX)
server.bind(chr(0) + "awxfast-reloads-" + str(os.getpid()))
server.listen(0)
first = socket.socket(socket.AF_UNIX)
first.connect(server.getsockname())
print(flush=True)
input()
server.accept()
asker, _ = server.accept()
asker.sendall({answer!r})
while not done: time.sleep(0.01)
asker.sendall(b'{{"done": true, "text": "all is well"}}\\n')
"""


def test_who_comes_while_others_fill_the_backlog_waits_for_a_place() -> None:
    words = [sys.executable, "-c", FULL_BACKLOG.format(answer=READY)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as main:
        assert main.stdin is not None and main.stdout is not None
        main.stdout.readline()
        letting_in = threading.Timer(0.2, lambda: os.write(main.stdin.fileno(), b"\n"))  # type: ignore[union-attr]
        letting_in.start()
        assert reload(main.pid) == {"done": True, "text": "all is well"}
        letting_in.join()


def test_backlog_that_stays_full_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload_command, "CONNECT_SECONDS", 0.05, raising=False)
    words = [sys.executable, "-c", FULL_BACKLOG.format(answer=READY)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as main:
        assert main.stdout is not None
        main.stdout.readline()
        with pytest.raises(StartError, match=f"too many ask process {main.pid}"):
            reload(main.pid)
        main.kill()


def test_main_process_that_ends_meanwhile_is_told_as_such() -> None:
    """Not as one that is none."""
    program = LISTENS.partition("connection, _")[0] + "import select; select.select([server], [], [])"
    words = [sys.executable, "-c", program]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as main:
        assert main.stdout is not None
        main.stdout.readline()
        with pytest.raises(StartError, match=f"process {main.pid} ended before the reload was done"):
            reload(main.pid)
        main.wait(HANG)
