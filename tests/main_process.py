"""`python -m awxfast` as an operator starts it: any options, its output in files, its processes by number."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from servers import HANG, list_children, serving_child, wait_for

LOOPBACK = ("--auth", "open", "--admin", "off")


def clean_environment(**more: str) -> dict[str, str]:
    """This process's, less what would change the server's settings."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWXFAST_", "NOTIFY_", "WATCHDOG_"))
    }
    return {**kept, **more}


def run_to_its_end(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """For commands that end by themselves."""
    return subprocess.run(
        [sys.executable, "-m", "awxfast", *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=HANG,
        env=clean_environment(**environ),
    )


class MainProcess:
    """A server that was started. `out` and `err` are its files; `command` is one that starts it in another way."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        environ: dict[str, str] | None = None,
        command: Sequence[str] | None = None,
        **popen: Any,
    ) -> None:
        self.out, self.err = folder / "out", folder / "err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                command or [sys.executable, "-m", "awxfast", *options],
                stdout=out,
                stderr=err,
                env=clean_environment(**(environ or {})),
                **popen,
            )

    def wait_for_line(self, pattern: str, count: int = 1) -> re.Match[str]:
        """The last of so many matches in what it wrote to stderr."""

        def find() -> re.Match[str] | None:
            found = list(re.finditer(pattern, self.err.read_text(), re.MULTILINE))
            assert len(found) >= count or self.process.poll() is None, self.err.read_text()
            return found[count - 1] if len(found) >= count else None

        match = wait_for(find)
        assert isinstance(match, re.Match)
        return match

    def wait_until_serving(self, count: int = 1) -> int:
        """The port, after so many starts of a child."""
        return int(self.wait_for_line(r"Listening on TCP address \S+:(\d+)$", count)[1])

    def has_child(self) -> bool:
        """Whether main has started one that lives."""
        return bool(list_children(self.process.pid))

    def child(self) -> int:
        """The serving process."""
        return serving_child(self.process.pid)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """The exit code."""
        return self.process.wait(HANG)

    def stop(self) -> int:
        """As an operator does it."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.wait()


def is_alive(number: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return "(zombie)" not in Path(f"/proc/{number}/status").read_text()
    except OSError:
        return False
