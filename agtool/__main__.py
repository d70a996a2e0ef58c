"""`python -m agtool` and the console script `agtool`."""

import atexit
import gc
import os
import sys
from contextlib import suppress

_code: int | None = None


@atexit.register
def _leave() -> None:
    """End the process when all else has been done that is to be done at exit.

    Registered before anything else, so it comes last. What would follow is the interpreter taking
    itself apart, which takes a tenth of a short run, and where a thread is still at work, as one
    that waits for a server, it may crash (https://docs.python.org/3/c-api/init.html on daemon
    threads).
    """
    if _code is not None:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # its end is gone; who wrote has told so
                stream.flush()
        os._exit(_code)


# Nothing that is imported ever becomes garbage: looking for it takes a twentieth of a short run.
gc.disable()
try:
    from agtool.app import main as run
except KeyboardInterrupt:
    sys.exit(130)

gc.freeze()
gc.enable()


def main() -> int:
    """Run the command line; return the exit code of the process, which does not outlive it."""
    global _code  # noqa: PLW0603  # there is one process
    _code = run()
    return _code


if __name__ == "__main__":
    sys.exit(main())
