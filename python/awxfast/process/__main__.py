"""`python -m awxfast.process PARENT CONTROL`: the serving process, as main starts it."""

import sys

from awxfast.system.offspring import die_with

if __name__ == "__main__":
    die_with(int(sys.argv[1]))  # before the imports, which take their time
    from awxfast.process.child import main

    main(int(sys.argv[2]))
