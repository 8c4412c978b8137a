"""What a command ends with: its exit code, and the one line on stderr that says why it failed."""

import logging
import signal
import sys
from collections.abc import Callable

from awxfast.errors import AwxfastError, describe_unexpected
from awxfast.printable import LINE, escape
from awxfast.system.queued_stream import drain_streams
from awxfast.system.standard_descriptors import open_closed_descriptors

log = logging.getLogger(__name__)


def run_to_exit_code(program: str, command: Callable[[], int]) -> int:
    """The exit code of a command, after saying why it failed."""
    try:
        open_closed_descriptors()
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # while the program was loaded
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return command()
    except AwxfastError as error:
        return report_failure(program, str(error), error.exit_code)
    except KeyboardInterrupt:
        return report_failure(program, "interrupted", 1)
    except Exception as error:
        return report_failure(program, f"{describe_unexpected(error)}; -v 2 shows where", 1)


def report_failure(program: str, text: str, exit_code: int) -> int:
    """The last line on stderr, after the traceback for those who debug."""
    log.debug("what led to the failure", exc_info=True)
    drain_streams()
    print(f"{program}:", escape(" ".join(text.split()), LINE), file=sys.stderr)
    return exit_code
