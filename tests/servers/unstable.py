"""Programs of Debian unstable, in a folder of their own, with their own C library.

They run beside this machine's system, whatever that is: nothing is installed. Unstable moves, so a
version is asked for and not pinned.
"""

import platform
import re
from collections.abc import Sequence
from pathlib import Path

from bundle import apt
from tests.servers.process import ServerUnavailable

_LIBRARIES = "usr/lib/x86_64-linux-gnu"

# $0 may be a link, as in a virtual environment; Python finds that by the name it is started with.
_STARTER = """\
#!/bin/sh
here=$(readlink -f "$0")
libraries=${here%/PROGRAM}/LIBRARIES
exec "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" --argv0 "$0" "$here.real" "$@"
"""


def fetch(
    target: Path, packages: Sequence[str], programs: Sequence[str], version: str, scratch: Path
) -> None:
    """Put packages, with all they depend on, below `target`, and make the programs start there.

    version: what the first package's has to begin with. scratch: an empty folder to work in.
    Raises ServerUnavailable when Debian has another, or cannot be asked.
    """
    if platform.machine() != "x86_64":
        raise ServerUnavailable("the recipe for programs of Debian unstable is for amd64")
    try:
        apt_get = ["apt-get", *apt.options(scratch, [(apt.DEBIAN, "sid")])]
    except apt.AptError as error:
        raise ServerUnavailable(f"programs of Debian unstable: {error}") from error
    _run([*apt_get, "update"])
    offered = _offered(apt_get, packages[0])
    if re.match(rf"{re.escape(version)}(?!\d)", offered) is None:
        raise ServerUnavailable(
            f"Debian unstable has {packages[0]} {offered or 'not at all'} now, and not {version}"
        )
    _run([*apt_get, "--yes", "--download-only", "--no-install-recommends", "install", *packages])
    for package in sorted((scratch / "cache" / "archives").glob("*.deb")):
        _run(["dpkg", "--extract", package, target])
    for program in programs:
        path = target / program
        if not path.exists():
            raise ServerUnavailable(f"Debian unstable's {packages[0]} has no {program}")
        path.rename(path.with_name(f"{path.name}.real"))
        path.write_text(_STARTER.replace("PROGRAM", program).replace("LIBRARIES", _LIBRARIES))
        path.chmod(0o755)


def _offered(apt_get: Sequence[str], package: str) -> str:
    """The version that apt would install, without Debian's epoch; nothing: it has none."""
    plan = _run(
        [*apt_get, "--simulate", "--no-install-recommends", "install", package], check=False
    )
    found = re.search(rf"^Inst {re.escape(package)} \((?:\d+:)?(\S+)", plan, re.MULTILINE)
    return found[1] if found else ""


def _run(argv: Sequence[str | Path], *, check: bool = True) -> str:
    return run(argv, "programs of Debian unstable", check=check)


def run(argv: Sequence[str | Path], what: str, *, check: bool = True) -> str:
    """Run a command that fetches something; return what it prints. Raises ServerUnavailable."""
    try:
        return apt.run(argv, check=check)
    except apt.AptError as error:
        raise ServerUnavailable(f"{what}: {error}") from error
