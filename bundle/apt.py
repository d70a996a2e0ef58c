"""Debian's packages from where this machine's apt gets them, with nothing installed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

DEBIAN = "Debian"
SECURITY = "Debian-Security"
"""How Debian's archives call themselves."""


class AptError(Exception):
    """apt is not there, or could not do what was asked."""


def mirror(label: str = DEBIAN) -> str:
    """Where this machine gets the packages of an archive from. Raises AptError."""
    form = "$(REPO_URI) $(LABEL) $(COMPONENT)"
    for line in run(["apt-get", "indextargets", "--format", form]).splitlines():
        uri, *rest = line.split()
        if rest == [label, "main"]:
            return uri
    raise AptError(f"this machine's apt knows no mirror of the packages of {label}")


def options(folder: Path, releases: Sequence[tuple[str, str]], architecture: str = "") -> list[str]:
    """Options that give apt a configuration and lists of its own, by which nothing is installed.

    folder: an empty one. releases: archives and their releases, such as ("Debian", "sid").
    Raises AptError.
    """
    for name in ("lists/partial", "cache"):
        (folder / name).mkdir(parents=True)
    lines = [f"deb {mirror(label)} {release} main\n" for label, release in releases]
    (folder / "sources.list").write_text("".join(lines))
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
    if architecture:
        settings |= {"APT::Architecture": architecture, "APT::Architectures": architecture}
    return ["--quiet", *(f"--option={key}={value}" for key, value in settings.items())]


def download(label: str, path: str, sha256: str, target: Path) -> None:
    """Download one file of an archive, whose path in it is known. Raises AptError."""
    helper = Path("/usr/lib/apt/apt-helper")
    if not helper.exists():
        raise AptError(f"{helper} is not there: this is no Debian")
    run([helper, "download-file", mirror(label) + path, target, f"SHA256:{sha256}"])


def run(argv: Sequence[str | Path], *, check: bool = True) -> str:
    """Run a command; return what it prints. Raises AptError with the end of what it said."""
    if shutil.which(argv[0]) is None:
        raise AptError(f"{argv[0]} is not installed")
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if check and done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
        raise AptError(f"{argv[0]} failed: {' '.join(said)}")
    return done.stdout
