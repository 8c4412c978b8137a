"""awxfast in a process of its own, as tests see it."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HANG = 30.0
"""Seconds after which something that does not happen counts as failed."""


def wait_for(condition: Callable[[], Any], seconds: float = HANG) -> Any:
    """Waits until something is so, and returns it; the time is only a guard against hanging."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)
    return found


def listening_port(log: str) -> str | None:
    """The port in the start-up line of daphne's form, once it is there."""
    found = re.search(r"Listening on TCP address \S+:(\d+)", log)
    return found[1] if found else None


CHILDREN = (b"awxfast.process", b"awxfast.broadcast.start_child")
"""What the command lines of serving processes and diallers' have in common."""


def list_children(main: int) -> list[int]:
    """The processes that a main process has started and not reaped: those of its first thread."""
    return [int(number) for number in Path(f"/proc/{main}/task/{main}/children").read_text().split()]


def serving_child(main: int) -> int:
    """The process that serves for a main process; a private Redis is its child, too."""
    commands = {number: Path(f"/proc/{number}/cmdline").read_bytes() for number in list_children(main)}
    (child,) = [number for number, command in commands.items() if any(name in command for name in CHILDREN)]
    return child


class AwxfastServer:
    """`python -m awxfast` on a free port of the loopback, for everybody, with its admin listener on a unix socket.

    Without `redis_url` an application's settings say where Redis is.
    """

    def __init__(self, redis_url: str | None, *options: str, auth: str | None = "open", port: int = 0) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="awxfast-server-"))
        self.admin = self.folder / "admin"
        self.log = self.folder / "log"
        self.command = [sys.executable, "-m", "awxfast", "-b", "127.0.0.1"]
        self.command += ["--redis", redis_url] if redis_url else []
        self.command += ["--auth", auth] if auth else []
        self.command += ["--admin", str(self.admin), "--access-log", str(self.folder / "access"), *options]
        self.port = port
        self.start()

    def start(self) -> None:
        """Starts it, the second time on the port that it had before."""
        with self.log.open("ab") as log:
            begin = log.tell()
            self.process = subprocess.Popen([*self.command, "-p", str(self.port)], stdout=log, stderr=log)
        self.port = int(wait_for(lambda: self.find_port(begin), 4 * HANG))  # it may import a whole application

    def find_port(self, begin: int) -> str | None:
        text = self.log.read_bytes()[begin:].decode()
        assert self.process.poll() is None, text
        return listening_port(text)

    def text(self) -> str:
        return self.log.read_text()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/websocket/"

    def ask(self, path: str) -> str:
        """The body of the admin listener's answer."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(HANG)
            connection.connect(str(self.admin))
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        return (unchunk(body) if b"chunked" in head.lower() else body).decode()

    def ledger(self) -> dict[str, Any]:
        return json.loads(self.ask("/ledger"))

    def metric(self, name: str) -> float:
        """The sum of a metric's samples, whatever their labels."""
        lines = self.ask("/metrics").splitlines()
        samples = [line.rsplit(" ", 1) for line in lines if re.match(rf"{name}(\{{| )", line)]
        assert samples, f"{name} is not on /metrics"
        return sum(float(value) for _, value in samples)

    def child_pid(self) -> int:
        """The process that serves."""
        return serving_child(self.process.pid)

    def resident(self) -> int:
        """Bytes of memory that the serving process has in use."""
        status = Path(f"/proc/{self.child_pid()}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024  # type: ignore[index]

    def reload(self) -> "subprocess.CompletedProcess[str]":
        """Asks for a new process in the place of the one that serves; what the command says."""
        words = [sys.executable, "-m", "awxfast", "reload", "--pid", str(self.process.pid)]
        return subprocess.run(words, check=False, capture_output=True, text=True, timeout=4 * HANG)

    def kill(self) -> None:
        """Ends it as the kernel would: main, and with it the child, at once."""
        child = self.child_pid()
        self.process.kill()
        self.process.wait()
        wait_for(lambda: not Path(f"/proc/{child}").exists())

    def stop(self) -> int:
        """Ends it as an operator would; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(HANG)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)


def unchunk(body: bytes) -> bytes:
    """The body of a chunked answer."""
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        whole += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
    return whole
