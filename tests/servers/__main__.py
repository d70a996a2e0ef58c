"""Fetches the databases that AGTOOL_TEST_POSTGRESQL and AGTOOL_TEST_MYSQL name, into the cache."""

import sys

from tests.servers import versions
from tests.servers.process import ServerUnavailable


def main() -> int:
    """Return the exit code."""
    try:
        versions.fetch(lambda text: print(f"servers: {text} ...", file=sys.stderr))  # noqa: T201
    except ServerUnavailable as error:
        sys.stderr.write(f"servers: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
