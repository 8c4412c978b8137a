"""The front door: commands, exit codes, and the one line on stderr that says what is wrong and what to do."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from awxfast.errors import ConfigurationError
from awxfast.exit_codes import run_to_exit_code
from awxfast.options import COMMANDS, parse_settings

NOT_BUILT_COMMANDS = ("doctor",)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0 done, 2 a wrong option, value or file, 1 all else.

    A traceback is shown with `-v 2` only: that is when the log shows debugging lines.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    return run_to_exit_code("awxfast", lambda: find_command(words)(words))


def find_command(words: Sequence[str]) -> Callable[[Sequence[str]], int]:
    """A command is the first word; an APPLICATION contains a colon, so no command can be mistaken for one."""
    first = words[0] if words else ""
    if first in NOT_BUILT_COMMANDS:
        refuse_command(first)
    runners = dict(zip(COMMANDS, (run_demo, run_status, run_reload), strict=True))
    return runners.get(first, run_server)


def refuse_command(name: str) -> NoReturn:
    """A command that is planned, but that this version does not have."""
    raise ConfigurationError(f"the command {name} is not built yet; see awxfast --help for those that are")


def run_server(words: Sequence[str]) -> int:
    """`awxfast [options]`: serves until it is told to stop, or says what keeps it from that."""
    settings = parse_settings(words, os.environ)
    if settings.check:
        from awxfast.process import check

        return check.run(settings)
    from awxfast.process import main as process_main  # uvloop and Redis cost `--help` and wrong options too much

    return process_main.run(settings)


def run_status(words: Sequence[str]) -> int:
    """`awxfast status`: a running server's figures."""
    from awxfast.operate import status

    return status.run(words[1:], os.environ)


def run_reload(words: Sequence[str]) -> int:
    """`awxfast reload`: a running server goes on in a new process."""
    from awxfast.process import reload_command

    return reload_command.run(words[1:], os.environ)


def run_demo(words: Sequence[str]) -> int:
    """`awxfast demo`: made-up live job output, to look at."""
    from awxfast.demo.plan import parse_plan
    from awxfast.demo.start_up import StartUp

    plan = parse_plan(words[1:])
    with StartUp() as start_up:
        from awxfast.demo import command  # takes seconds on a busy machine

        return command.run(plan, start_up)
