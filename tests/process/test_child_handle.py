"""Main's side of a process that it starts."""

import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from awxfast.errors import HandOverFailed
from awxfast.process import child_handle, renewal
from awxfast.process.child_handle import ChildHandle
from awxfast.process.pipe import Pipe
from awxfast.process.renewal import Trial
from awxfast.system.child_process import ChildProcess

SLEEPS = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[ChildProcess]]:
    """Processes that were started, none of which can be heard: main has too few descriptors, say."""
    processes: list[ChildProcess] = []

    class Noted(ChildProcess):
        @classmethod
        def start(cls, command: Any, **popen: Any) -> ChildProcess:
            processes.append(ChildProcess.start(command, **popen))
            return processes[-1]

    async def fail(*_: object) -> None:
        raise OSError(24, "Too many open files")

    for module in (child_handle, renewal):
        monkeypatch.setattr(module, "ChildProcess", Noted)
    monkeypatch.setattr(Pipe, "open", fail)
    yield processes
    for process in processes:
        process.kill()


class TestProcessThatCanNotBeHeard:
    async def test_it_is_ended_and_reaped(self, started: list[ChildProcess]) -> None:
        with pytest.raises(OSError, match="Too many open files"):
            await ChildHandle.start(SLEEPS, {}, [])
        assert [process.exit_code for process in started] == [-signal.SIGKILL]

    async def test_trial_start_is_too(self, started: list[ChildProcess], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(renewal, "own_program", lambda: SLEEPS)
        with pytest.raises(HandOverFailed, match="no new process can be started: Too many open files"):
            await Trial.start()
        assert [process.exit_code for process in started] == [-signal.SIGKILL]
