"""What the folder's Python runs: finds agtool and its libraries, and starts it."""

import os
import sys

sys.path.append(f"{sys.prefix}/lib/site")
# As for the installed program, whose name this is.
sys.argv[0] = sys.executable

# What launcher.c kept from the loader. Other programs that agtool starts get it back as well.
for _name in [name for name in os.environ if name.startswith("AGTOOL_KEPT_")]:
    os.environ[_name.removeprefix("AGTOOL_KEPT_")] = os.environ.pop(_name)

from agtool import __main__ as program  # noqa: E402  # found only now

sys.exit(program.main())
