"""`python -m awxfast.broadcast` as an operator starts it."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from main_process import clean_environment
from servers import HANG, serving_child, unchunk, wait_for


class AwxfastDialler:
    """One node's dialler, with its admin listener on a unix socket and its output in a file."""

    def __init__(self, redis_url: str, secret_file: Path, era: str, peers: Sequence[str], *options: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="awxfast-dialler-"))
        self.admin, self.log = self.folder / "admin", self.folder / "log"
        self.command = [sys.executable, "-m", "awxfast.broadcast", "--redis", redis_url, "--era", era]
        self.command += ["--secret-file", str(secret_file), "--protocol", "http", "--admin", str(self.admin)]
        self.command += [word for peer in peers for word in ("--peer", peer)] + list(options)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and waits for its start-up line."""
        with self.log.open("ab") as log:
            begin = log.tell()
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env=clean_environment())
        wait_for(lambda: self.is_dialling(begin))

    def is_dialling(self, begin: int) -> bool:
        assert self.process is not None
        text = self.log.read_bytes()[begin:].decode()
        assert self.process.poll() is None, text
        return re.search(r"Dialling \d+ peers as \S+", text) is not None

    def text(self) -> str:
        return self.log.read_text()

    def ask(self, path: str) -> str:
        """The body of the admin listener's answer."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(HANG)
            connection.connect(str(self.admin))
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        return (unchunk(body) if b"chunked" in head.lower() else body).decode()

    def ledger(self) -> dict[str, Any]:
        ledger: dict[str, Any] = json.loads(self.ask("/ledger"))
        return ledger

    def connected(self) -> set[str]:
        """The peers whose links are up."""
        return {peer["host"] for peer in self.ledger()["peers"] if peer["state"] == "connected"}

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def child_pid(self) -> int:
        """The process that dials."""
        assert self.process is not None
        return serving_child(self.process.pid)

    def reload(self) -> "subprocess.CompletedProcess[str]":
        """Asks for a new process in the place of the one that dials; what the command says."""
        assert self.process is not None
        words = [sys.executable, "-m", "awxfast", "reload", "--pid", str(self.process.pid)]
        return subprocess.run(words, check=False, capture_output=True, text=True, timeout=4 * HANG)

    def kill(self) -> None:
        """Ends it as the kernel would: main, and with it the child, at once."""
        assert self.process is not None
        if self.process.poll() is not None:
            return
        child = self.child_pid()
        self.process.kill()
        self.process.wait()
        wait_for(lambda: not Path(f"/proc/{child}").exists())

    def stop(self) -> int:
        """Ends it as an operator would; its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.process.wait(HANG)

    def close(self) -> None:
        if self.process is not None:
            self.stop()
        shutil.rmtree(self.folder)
