"""Several serving processes on the same listening sockets, with the test in main's place."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from awxfast.settings import Settings
from awxfast.system.shares import Shares
from main_process import clean_environment
from servers import HANG, wait_for


class Worker:
    """One of them, and what it has said."""

    def __init__(self, owner: "WorkerProcesses", number: int) -> None:
        self.number = number
        self.said: list[str] = []
        self._owner = owner
        self._sock, theirs = socket.socketpair()
        passing, passed = socket.socketpair()
        with theirs, passing, passed:
            descriptors = (theirs.fileno(), passed.fileno(), *owner.descriptors)
            self.process = subprocess.Popen(
                [sys.executable, "-m", "awxfast.process", str(os.getpid()), str(theirs.fileno())],
                pass_fds=descriptors,
                env=owner.environ,
                stdout=owner.out,
                stderr=owner.err,
                cwd=Path(__file__).parent,
            )
            self.send("start", **owner.describe(number), passing=passed.fileno())
        self._thread = threading.Thread(target=self._hear)
        self._thread.start()

    def send(self, kind: str, **fields: Any) -> None:
        self._sock.sendall(json.dumps({"kind": kind, **fields}).encode() + b"\n")

    def _hear(self) -> None:
        with self._sock.makefile("rb") as lines, contextlib.suppress(ConnectionError):
            for line in lines:
                message = json.loads(line)
                self.said.append(message["kind"])
                if message["kind"] == "imported":
                    self.send("register")
                elif message["kind"] == "prepared":
                    self.send("listen")
                elif message["kind"] == "claim_header":
                    self._owner.answer(self, message["header"])

    def wait_until_serving(self) -> None:
        wait_for(lambda: "serving" in self.said or self.process.poll() is not None)
        assert "serving" in self.said, self._owner.read_err()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.send("stop")
        self.process.wait(HANG)
        self._thread.join(HANG)
        self._sock.close()

    def die(self) -> None:
        """It is killed, and main has noticed it."""
        self.process.kill()
        self.process.wait(HANG)
        self.stop()
        self._owner.shares.clear(self.number, self.process.pid)


class WorkerProcesses:
    """`listeners` are sockets that listen; `tls_files` are for the first of them."""

    def __init__(
        self,
        folder: Path,
        listeners: Sequence[socket.socket],
        count: int = 2,
        tls_files: tuple[str, str] | None = None,
        environ: dict[str, str] | None = None,
        stdout: int | None = None,
        **settings: Any,
    ) -> None:
        """`stdout` is one that all have; else they write to a file, `out`."""
        self.listeners = listeners
        self.count = count
        self.shares = Shares.create(count)
        self.claimed: Counter[str] = Counter()
        self.answers_claims = True
        self._lock = threading.Lock()
        self._tls_files = tls_files
        self._folder = folder
        given = {"application": "worker_site:application", "redis": (), "admin": "off", "direct": (), "verbosity": 0}
        self.settings = Settings(**{**given, "workers": count, **settings})
        self.environ = clean_environment(PYTHONPATH=str(Path(__file__).parent), **(environ or {}))
        with (folder / "out").open("ab") as out, (folder / "err").open("ab") as self.err:
            self.out: IO[bytes] | int = out if stdout is None else stdout
            self.workers = [Worker(self, number) for number in range(count)]
        for worker in self.workers:
            worker.wait_until_serving()

    @property
    def descriptors(self) -> list[int]:
        return [*(one.fileno() for one in self.listeners), self.shares.descriptor]

    def describe(self, number: int) -> dict[str, Any]:
        first, *others = self.listeners
        return {
            "settings": self.settings.to_json(),
            "listeners": [[first.fileno(), 2048, self._tls_files], *([one.fileno(), 2048, None] for one in others)],
            "admin": None,
            "used_headers": [],
            "worker": {"number": number, "count": self.count, "shares": self.shares.descriptor},
        }

    def answer(self, worker: Worker, header: str) -> None:
        with self._lock:
            self.claimed[header] += 1
            if self.answers_claims:
                worker.send("header_claimed", header=header, fresh=self.claimed[header] == 1)

    def replace(self, worker: Worker) -> Worker:
        """A new one, as main starts it when one has died."""
        with (self._folder / "out").open("ab") as self.out, (self._folder / "err").open("ab") as self.err:
            new = self.workers[worker.number] = Worker(self, worker.number)
        new.wait_until_serving()
        return new

    def read_err(self) -> str:
        return (self._folder / "err").read_text()

    def stop(self) -> None:
        for worker in self.workers:
            worker.stop()
        self.shares.close()
        for one in self.listeners:
            one.close()
