"""`python -m awxfast`, and the command `awxfast`."""

import signal
import sys


def main() -> int:
    """Ctrl-C while the program is loaded ends it as it ends any other, without a traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from awxfast.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
