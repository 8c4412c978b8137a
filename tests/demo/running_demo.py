"""A demo as somebody runs it who has just installed awxfast."""

import re
import subprocess
import sys
import urllib.request
from pathlib import Path

from main_process import clean_environment
from servers import HANG, wait_for

START = 100.0
"""Seconds that many programs may take on a busy machine; a guard against hanging."""


class RunningDemo:
    """A demo that has printed where its page is."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.out, self.err = folder / "out", folder / "err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            command = [sys.executable, "-m", "awxfast", "demo", *options]
            self.process = subprocess.Popen(command, stdout=out, stderr=err, env=clean_environment())
        try:
            self.page = wait_for(lambda: re.search(r"Open (\S+) in a browser", self.out.read_text()), START)[1]
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise

    def fetch(self, path: str) -> bytes:
        with urllib.request.urlopen(self.page + path, timeout=HANG) as answer:
            body: bytes = answer.read()
        return body
