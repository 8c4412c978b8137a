"""Children by number: started here, or by this process's former program."""

import signal
import subprocess
import sys

from awxfast.system.child_process import ChildProcess
from servers import HANG

SLEEPS = [sys.executable, "-c", "import time; time.sleep(600)"]


def test_exit_code_is_the_programs_or_the_signals() -> None:
    ended = ChildProcess.start([sys.executable, "-c", "raise SystemExit(7)"])
    assert ended.wait(HANG)
    assert (ended.poll(), ended.exit_code) == (7, 7)
    killed = ChildProcess.start(SLEEPS)
    assert killed.poll() is None
    assert not killed.wait(0.0)
    killed.kill()
    assert killed.wait(HANG)
    assert killed.exit_code == -signal.SIGKILL
    killed.terminate()  # of a number that may be another's by now: nothing happens


def test_one_of_the_former_program_is_waited_for_by_its_number() -> None:
    process = subprocess.Popen(SLEEPS)
    adopted = ChildProcess(process.pid)
    adopted.terminate()
    assert adopted.wait(HANG)
    assert adopted.exit_code == -signal.SIGTERM
    process.returncode = 0


def test_one_that_was_reaped_has_an_end_all_the_same() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(HANG)
    assert ChildProcess(process.pid).wait(HANG)


async def test_end_is_waited_for_beside_the_loop() -> None:
    assert await ChildProcess.start([sys.executable, "-c", "raise SystemExit(3)"]).wait_for_end() == 3
