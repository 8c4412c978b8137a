"""`python -m awxfast` is `awxfast`."""

import sys

from awxfast.cli import main

if __name__ == "__main__":
    sys.exit(main())
