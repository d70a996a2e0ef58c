"""`python -m agtool` and the console script `agtool`."""

import gc
import sys

# Nothing that is imported ever becomes garbage: looking for it takes a twentieth of a short run.
gc.disable()
try:
    from agtool.app import main as main  # noqa: PLC0414  # also for who starts agtool in another way
except KeyboardInterrupt:
    sys.exit(130)

gc.freeze()
gc.enable()

if __name__ == "__main__":
    sys.exit(main())
