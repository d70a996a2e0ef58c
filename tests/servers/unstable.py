"""Programs of Debian unstable, in a folder of their own, with their own C library.

They run beside this machine's system, whatever that is: nothing is installed. Unstable moves, so a
version is asked for and not pinned.
"""

import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

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
    apt = _apt(scratch)
    _run([*apt, "update"])
    offered = _offered(apt, packages[0])
    if re.match(rf"{re.escape(version)}(?!\d)", offered) is None:
        raise ServerUnavailable(
            f"Debian unstable has {packages[0]} {offered or 'not at all'} now, and not {version}"
        )
    _run([*apt, "--yes", "--download-only", "--no-install-recommends", "install", *packages])
    for package in sorted((scratch / "cache" / "archives").glob("*.deb")):
        _run(["dpkg", "--extract", package, target])
    for program in programs:
        path = target / program
        if not path.exists():
            raise ServerUnavailable(f"Debian unstable's {packages[0]} has no {program}")
        path.rename(path.with_name(f"{path.name}.real"))
        path.write_text(_STARTER.replace("PROGRAM", program).replace("LIBRARIES", _LIBRARIES))
        path.chmod(0o755)


def mirror() -> str:
    """Where this machine gets Debian's packages from. Raises ServerUnavailable."""
    form = "$(REPO_URI) $(LABEL) $(COMPONENT)"
    for line in _run(["apt-get", "indextargets", "--format", form]).splitlines():
        uri, *rest = line.split()
        if rest == ["Debian", "main"]:
            return uri
    raise ServerUnavailable("this machine's apt knows no mirror of Debian's packages")


def _apt(folder: Path) -> list[str]:
    """An apt-get with a configuration and lists of its own, by which nothing is installed yet."""
    for name in ("lists/partial", "cache"):
        (folder / name).mkdir(parents=True)
    (folder / "sources.list").write_text(f"deb {mirror()} sid main\n")
    (folder / "status").touch()
    settings = {
        "Dir::Etc::SourceList": folder / "sources.list",
        "Dir::Etc::SourceParts": "-",
        "Dir::State::Lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": 3,
    }
    return ["apt-get", "--quiet", *(f"--option={key}={value}" for key, value in settings.items())]


def _offered(apt: Sequence[str], package: str) -> str:
    """The version that apt would install, without Debian's epoch; nothing: it has none."""
    plan = _run([*apt, "--simulate", "--no-install-recommends", "install", package], check=False)
    found = re.search(rf"^Inst {re.escape(package)} \((?:\d+:)?(\S+)", plan, re.MULTILINE)
    return found[1] if found else ""


def _run(argv: Sequence[str | Path], *, check: bool = True) -> str:
    return run(argv, "programs of Debian unstable", check=check)


def run(argv: Sequence[str | Path], what: str, *, check: bool = True) -> str:
    """Run a command that fetches something; return what it prints. Raises ServerUnavailable."""
    if shutil.which(argv[0]) is None:
        raise ServerUnavailable(f"{what}: {argv[0]} is not installed")
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if check and done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
        raise ServerUnavailable(f"{what}: {argv[0]} failed: {' '.join(said)}")
    return done.stdout
