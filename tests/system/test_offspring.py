"""Processes that die with their parent, and commands that keep the interpreter's flags."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from awxfast.system import offspring
from awxfast.system.offspring import dying_with_us, own_command

HANG = 30
C_LIBRARYS_OWN = 0b11 << 31
"""Signals 32 and 33, which glibc keeps for its threads and lets no program change (nptl(7))."""


PYTHONS_OWN = 1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1
"""Those that Python ignores."""


def read_masks(status: str) -> Iterator[tuple[str, int]]:
    """The signals that a process blocks, and those that it ignores (proc(5))."""
    for line in status.splitlines():
        if line.startswith(("SigBlk", "SigIgn")):
            kind, mask = line.split(":\t")
            yield kind, int(mask, 16) & ~C_LIBRARYS_OWN


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Without variables, which may stand for flags."""
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANG, env={})


class TestDyingWithUs:
    def test_the_program_runs_in_the_place_of_the_wrapper(self) -> None:
        done = run(dying_with_us(["/bin/sh", "-c", "exit $1", "sh", "7"]))
        assert done.returncode == 7

    def test_signals_are_as_a_shell_leaves_them(self) -> None:
        """What this process was started with stays as it was, as SIGHUP is ignored under nohup."""
        status = run(dying_with_us(["/bin/cat", "/proc/self/status"])).stdout
        inherited = {kind: mask & ~PYTHONS_OWN for kind, mask in read_masks(Path("/proc/self/status").read_text())}
        assert dict(read_masks(status)) == inherited

    def test_program_ignores_what_it_is_to_and_does_not_know_why(self) -> None:
        ignored = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        try:
            command = dying_with_us(
                ["/bin/sh", "-c", 'kill -USR2 $$; kill -HUP $$; echo "goes on, $AWXFAST_IGNORED_SIGNALS"']
            )
            env = {offspring.IGNORED: f"{signal.SIGUSR2:d} {signal.SIGHUP:d}"}
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANG, env=env)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, ignored)
        assert (done.returncode, done.stdout) == (0, "goes on, \n")

    def test_wrong_parent_ends_it_before_the_program(self) -> None:
        command = [sys.executable, "-I", "-S", offspring.__file__, "1", "/bin/echo", "started"]
        done = run(command)
        assert (done.returncode, done.stdout) == (1, "")

    def test_program_that_can_not_be_run_is_named(self, tmp_path: Path) -> None:
        done = run(dying_with_us([f"{tmp_path}/none"]))
        assert done.returncode == 1
        assert done.stderr == f"{tmp_path}/none does not start: No such file or directory\n"

    def test_it_dies_when_its_parent_is_killed(self) -> None:
        parent = (
            "import subprocess; from awxfast.system.offspring import dying_with_us;"
            "print(subprocess.Popen(dying_with_us(['/bin/cat'])).pid, flush=True); input()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            number = int(process.stdout.readline())
            process.kill()
            process.stdout.read()  # ends when both are gone: the program has it, too
        with pytest.raises(ProcessLookupError):
            for _ in range(HANG * 100):
                os.kill(number, 0)
                if "(zombie)" in Path(f"/proc/{number}/status").read_text():
                    raise ProcessLookupError


class TestOwnCommand:
    def test_flags_are_kept(self) -> None:
        flags = ["-O", "-B", "-Xfaulthandler", "-Xours=7", "-Wignore::UserWarning"]
        program = "from awxfast.system.offspring import own_command; print(*own_command('awxfast.process'))"
        words = run([sys.executable, *flags, "-c", program]).stdout.split()
        assert words[-3:] == ["-P", "-m", "awxfast.process"]
        assert {"-O", "-B", "-Xours=7", "-Wignore::UserWarning"} <= set(words)
        assert "faulthandler" in " ".join(words)

    def test_without_flags_there_are_none(self) -> None:
        program = "from awxfast.system.offspring import own_command; print(*own_command('m'))"
        words = run([sys.executable, "-c", program]).stdout.split()
        assert words == [sys.executable, "-P", "-m", "m"]
        assert own_command("m")[-1] == "m"
