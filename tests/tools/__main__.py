"""Installs tools into the cache and runs their tests.

python -m tests.tools [TOOL...]     (no TOOL: all)
"""

import argparse
import sys

from tests.programs import carry_out, to_its_end, voice
from tests.servers.process import ServerFailed, ServerUnavailable
from tests.tools import installed

_say = voice("tools")


def main() -> int:
    """Return the exit code: pytest's, or 1 if a tool could not be installed."""
    there = installed.names()
    parser = argparse.ArgumentParser(
        prog="python -m tests.tools",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tools", nargs="*", metavar="TOOL", help=", ".join(there))
    chosen = parser.parse_args().tools or there
    if unknown := sorted(set(chosen) - set(there)):
        parser.error(f"no such tool: {', '.join(unknown)}; there are {', '.join(there)}")
    missing = []
    for tool in chosen:
        try:
            installed.install(tool, _say)
        except (ServerFailed, ServerUnavailable) as error:
            _say(f"{tool}: {error}")
            missing.append(tool)
    paths = [f"tests/tools/{tool}" for tool in chosen if tool not in missing]
    code = 0
    if paths:
        code = to_its_end([sys.executable, "-m", "pytest", *paths], installed.ROOT)
    if missing:
        _say(f"not installed, so not tested: {', '.join(missing)}")
    return code or int(bool(missing))


if __name__ == "__main__":
    carry_out(main, _say)
