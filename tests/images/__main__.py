"""Tries agtool in images of other languages, on a cluster; and its own image with all commands.

python -m tests.images [APPLICATION...]     (no APPLICATION: all; `watch`: its own)
"""

import argparse
import sys

from tests.images.applications import LARGE, SMALL, say
from tests.programs import carry_out, to_its_end
from tests.servers.process import ServerFailed, ServerUnavailable
from tests.tools import installed


def main() -> int:
    """Return the exit code: pytest's, or 1 if something could not be installed."""
    applications = {each.name: each for each in (*SMALL, *LARGE)}
    there = [*applications, "watch"]
    parser = argparse.ArgumentParser(
        prog="python -m tests.images",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="APPLICATION", help=", ".join(there))
    chosen = parser.parse_args().names or list(there)
    if unknown := sorted(set(chosen) - set(there)):
        parser.error(f"no such application: {', '.join(unknown)}; there are {', '.join(there)}")
    needed = {each.needs for name, each in applications.items() if name in chosen}
    for tool in sorted(needed - {""}):
        try:
            installed.install(tool, say)
        except (ServerFailed, ServerUnavailable) as error:
            say(f"{tool}: {error}")
            return 1
    argv = [sys.executable, "-m", "pytest", "tests/images", "-k", " or ".join(chosen)]
    return to_its_end(argv, installed.ROOT)


if __name__ == "__main__":
    carry_out(main, say)
