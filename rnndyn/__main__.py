"""`python -m rnndyn` is the command `rnndyn`."""

import sys

from rnndyn.cli import main

if __name__ == "__main__":
    sys.exit(main())
