"""A copy of the Django project in `tests/django/project`, which a test may run and change."""

import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from main_process import clean_environment
from servers import HANG, wait_for

PROJECT = Path(__file__).resolve().parent / "django" / "project"


class Project:
    """A copy of the project, and its runserver. `log` is what that wrote."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder / "project"
        shutil.copytree(PROJECT, self.folder)
        self.environ = clean_environment(PYTHONUNBUFFERED="1", **environ)
        self._log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def manage(self, *words: str) -> subprocess.CompletedProcess[str]:
        """For commands that end by themselves."""
        command = [sys.executable, "manage.py", *words]
        return subprocess.run(
            command, cwd=self.folder, env=self.environ, capture_output=True, text=True, timeout=HANG, check=False
        )

    def run_server(self, *options: str) -> "Project":
        # Whoever runs the tests in the background may have them ignore the interrupt, which children inherit.
        command = ["env", "--default-signal=INT", sys.executable, "manage.py", "runserver", *options]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=self.environ, stdout=log, stderr=log, start_new_session=True
            )
        return self

    @property
    def log(self) -> str:
        return self._log.read_text()

    def find_address(self, count: int = 1) -> str | None:
        """Where it serves, once that has been said so many times."""
        assert self.process is not None and self.process.poll() is None, self.log
        found = re.findall(r"development server at http://(\S+)/$", self.log, re.MULTILINE)
        return found[count - 1] if len(found) >= count else None

    def address(self, count: int = 1) -> str:
        return str(wait_for(lambda: self.find_address(count)))

    def get(self, path: str, count: int = 1) -> str:
        with urllib.request.urlopen(f"http://{self.address(count)}{path}", timeout=HANG) as response:
            return str(response.read().decode())

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """As a terminal does it: the signal reaches the reloader and what it started."""
        assert self.process is not None
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
        return self.process.wait(HANG)
