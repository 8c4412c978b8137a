"""The same small application under real daphne and under awxfast, each in a process of its own."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import ClassVar

from main_process import clean_environment
from servers import HANG, listening_port, wait_for

HERE = Path(__file__).resolve().parent
KINDS = ("daphne", "awxfast")


class HostingServer:
    """One server. `options` are daphne's, which awxfast takes too; `address` is where to connect."""

    workers: ClassVar[int | str] = 1
    """awxfast's, each of which serves the application."""

    def __init__(
        self,
        kind: str,
        *options: str,
        application: str = "application:application",
        where: Path = HERE,
        environ: dict[str, str] | None = None,
        python: str | Path = sys.executable,
    ) -> None:
        self.kind = kind
        self.folder = Path(tempfile.mkdtemp(prefix=f"{kind}-"))
        self._log = self.folder / "log"
        self._access = self.folder / "access"
        listen = [] if "-u" in options else ["-b", "127.0.0.1", "-p", "0"]
        workers = ["--workers", str(self.workers)] if kind == "awxfast" else []
        command = [str(python), "-m", kind, *listen, *workers, "--access-log", str(self._access), *options, application]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=where,
                stdout=log,
                stderr=log,
                env=clean_environment(PARITY_FOLDER=str(self.folder), **(environ or {})),
            )
        self.address: tuple[str, int] | str
        if listen:
            self.address = ("127.0.0.1", int(wait_for(self._find_port)))
        else:
            self.address = options[options.index("-u") + 1]
            wait_for(lambda: self._is_alive() and Path(str(self.address)).exists())

    def _is_alive(self) -> bool:
        assert self.process.poll() is None, self.log
        return True

    def _find_port(self) -> str | None:
        return listening_port(self.log) if self._is_alive() else None

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def access(self) -> str:
        return self._access.read_text()

    @property
    def port(self) -> int:
        return int(self.address[1])

    def url(self, path: str, scheme: str = "ws") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(HANG)
        finally:
            self.process.kill()
            shutil.rmtree(self.folder)
