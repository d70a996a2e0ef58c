"""`python -m agtool` and the console script `agtool`."""

import sys

from agtool.app import main

if __name__ == "__main__":
    sys.exit(main())
