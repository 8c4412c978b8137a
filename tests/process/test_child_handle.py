"""Main's side of a process that it starts."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from awxfast.errors import HandOverFailed
from awxfast.process import child_handle, renewal
from awxfast.process.child_handle import ChildHandle
from awxfast.process.pipe import LINE_LIMIT, Pipe
from awxfast.process.renewal import Trial
from awxfast.system.child_process import ChildProcess
from servers import HANG
from stand_ins import PREAMBLE

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


@pytest.mark.parametrize(
    ("ending", "exit_code"),
    [
        pytest.param("if os.fork(): os._exit(3)", 3, id="what_it_has_forked_has_its_end_of_the_pipe"),
        pytest.param("os.closerange(3, 256)", -signal.SIGKILL, id="it_closes_the_pipe_and_stays"),
        pytest.param(f"send(text='x' * {LINE_LIMIT})", -signal.SIGKILL, id="it_says_more_than_anybody_reads"),
    ],
)
async def test_process_is_gone_for_main_however_it_ends(
    monkeypatch: pytest.MonkeyPatch, ending: str, exit_code: int
) -> None:
    monkeypatch.setattr(child_handle, "UNHEARD_LIMIT", 0.1, raising=False)
    program = f"{PREAMBLE}send(kind='failed', text='the last word', exit_code=1)\n{ending}\ntime.sleep(60)"
    child = await ChildHandle.start([sys.executable, "-c", program], {}, [])
    assert await asyncio.wait_for(child.run(lambda: None, lambda _: None), HANG) == child.exit_code == exit_code
    assert str(child.failure) == "the last word"


async def test_answer_to_a_hand_over_that_was_given_up_is_none_to_the_next() -> None:
    said = "".join(f"send(kind='{word}', text='too late', heir=1)\n" for word in ("kept_on", "left"))
    program = f"{PREAMBLE}{said}send(kind='stands', frames=0)\ntime.sleep(60)"
    child = await ChildHandle.start([sys.executable, "-c", program], {}, [])
    hearing = asyncio.ensure_future(child.run(lambda: None, lambda _: None))
    child._heir = 2
    await child.wait_for(lambda: child.stands is not None, HANG)
    assert (child.stays, child.has_left) == (None, False)
    child.kill()
    await asyncio.wait_for(hearing, HANG)
