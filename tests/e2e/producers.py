"""Producers as a test sees them: processes that wait for the word, and end by themselves."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from layer_forms import LayerForm, chosen_form
from servers import HANG
from site_browsers import python_path

SCRIPT = Path(__file__).with_name("producer.py")


class Producer:
    """One producer process."""

    def __init__(self, urls: Sequence[str], producer: int, count: int, *options: str) -> None:
        self.count = count
        command = [chosen_form().python(), str(SCRIPT), "--layer", LayerForm.chosen, "--producer", str(producer)]
        command += [word for url in urls for word in ("--redis", url)]
        command += ["--count", str(count), *options]
        environ = {**os.environ, "PYTHONPATH": python_path()}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def start(self) -> None:
        self.write("go")

    def send(self, group: str, number: int) -> None:
        """With `--on-demand`: one event, now."""
        self.write(f"{group} {number}")

    def write(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def wait(self, seconds: float = 120) -> None:
        output, _ = self.process.communicate(timeout=seconds)
        assert (self.process.returncode, output) == (0, f"{self.count}\n")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=HANG)
