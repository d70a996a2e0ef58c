"""Fetches the databases that AGTOOL_TEST_POSTGRESQL and AGTOOL_TEST_MYSQL name, into the cache."""

from tests.programs import carry_out, voice
from tests.servers import versions
from tests.servers.process import ServerUnavailable

_say = voice("servers")


def main() -> int:
    """Return the exit code."""
    try:
        versions.fetch(_say)
    except ServerUnavailable as error:
        _say(f"{error}")
        return 1
    return 0


if __name__ == "__main__":
    carry_out(main, _say)
