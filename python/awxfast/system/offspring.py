"""Processes that awxfast starts: with this interpreter's flags, and never longer there than the one that started them.

python -I -S offspring.py PARENT PROGRAM [WORDS]      becomes PROGRAM, which can't ask for its own death
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence

PR_SET_PDEATHSIG = 1

IGNORED = "AWXFAST_IGNORED_SIGNALS"
"""The variable with the numbers of signals that the program is to ignore. It is no word of the command, since after an
upgrade this file is of another version than whoever runs it."""


def die_with(parent: int) -> None:
    """Asks the kernel to end this process with the thread that started it; leaves at once when `parent` is gone."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def dying_with_us(command: Sequence[str]) -> list[str]:
    """The command for a program of others. A function that runs between fork and exec would not do: we have threads."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def own_command(module: str) -> list[str]:
    """`python -m` of a module of ours, as this process was started; the current folder hides none of them."""
    return [sys.executable, *list_flags(), "-P", "-m", module]


def list_flags() -> list[str]:
    """The interpreter's own: -O, -W, -X and the like."""
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # as multiprocessing does it
    return [*flags, *(word for word in list_x_options() if word not in flags)]


def list_x_options() -> Iterator[str]:
    """All of -X; the standard library passes on those alone that it knows."""
    for name, value in sys._xoptions.items():
        yield f"-X{name}" if value is True else f"-X{name}={value}"


def become(parent: int, command: Sequence[str]) -> None:
    """Runs the program in this process's place, with signals as it would find them under a shell, but for `IGNORED`."""
    die_with(parent)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them
        signal.signal(number, signal.SIG_DFL)
    for word in os.environ.pop(IGNORED, "").split():
        signal.signal(int(word), signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    try:
        os.execv(command[0], list(command))
    except OSError as error:
        sys.exit(f"{command[0]} does not start: {error.strerror}")


if __name__ == "__main__":
    become(int(sys.argv[1]), sys.argv[2:])
