"""`python -m agtool` and the console script `agtool`."""

import gc
import sys

# Nothing that is imported ever becomes garbage: looking for it takes a twentieth of a short run.
gc.disable()
try:
    from agtool.app import main as run
except KeyboardInterrupt:
    sys.exit(130)

gc.freeze()
gc.enable()


def main() -> int:
    """Run the command line; return the exit code of the process."""
    code = run()
    # What is left goes with the process: to look for garbage in it takes another twentieth.
    gc.freeze()
    return code


if __name__ == "__main__":
    sys.exit(main())
