"""`python -m awxfast.broadcast.start_child PARENT CONTROL`: the process that dials, as main starts it."""

import sys

from awxfast.system.offspring import die_with

if __name__ == "__main__":
    die_with(int(sys.argv[1]))  # before the imports, which take their time
    from awxfast.broadcast.child import main

    main(int(sys.argv[2]))
