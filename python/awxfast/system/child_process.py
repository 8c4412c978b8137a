"""A process that this one has started, or that its former program has: `execve` keeps children, but no `Popen`."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import Any

LOOK_SECONDS = 0.01
UNKNOWN = 0
"""The exit code of one that somebody else has reaped, as `subprocess` has it."""


class ChildProcess:
    """What of `subprocess.Popen` its number is enough for; nobody else may wait for it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.exit_code: int | None = None

    @classmethod
    def start(cls, command: Sequence[str], **popen: Any) -> "ChildProcess":
        """Starts a program, with what `Popen` takes. Raises `OSError`."""
        process = subprocess.Popen(command, **popen)
        process.returncode = UNKNOWN  # it is ours to wait for: a `Popen` that is dropped would do so as well
        return cls(process.pid)

    def poll(self) -> int | None:
        """Its exit code, minus the signal that ended it; None while it runs."""
        if self.exit_code is None:
            try:
                ended, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                self.exit_code = UNKNOWN
            else:
                self.exit_code = os.waitstatus_to_exitcode(status) if ended else None
        return self.exit_code

    def wait(self, seconds: float) -> bool:
        """Blocks until it has ended, so long at most; whether it has."""
        deadline = time.monotonic() + seconds
        while self.poll() is None:
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_SECONDS)
        return True

    async def wait_for_end(self, look: float = LOOK_SECONDS) -> int:
        """Its exit code, when it has ended. No thread waits for it: signals for the loop would be delivered there.

        `look`: seconds between two looks.
        """
        while (exit_code := self.poll()) is None:  # noqa: ASYNC110  the kernel tells only by a signal, which others use
            await asyncio.sleep(look)
        return exit_code

    def terminate(self) -> None:
        """Asks it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it at once."""
        self._send(signal.SIGKILL)

    async def end(self) -> None:
        """Ends it at once, and leaves nothing of it behind."""
        self.kill()
        await self.wait_for_end()

    def _send(self, number: signal.Signals) -> None:
        if self.poll() is None:  # else the number may be another's by now
            os.kill(self.pid, number)
