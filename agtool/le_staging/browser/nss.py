"""A certificate database of NSS (cert9.db), by NSS's own tool certutil."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from agtool.core.errors import ConfigurationError
from agtool.le_staging.browser.profile import Anchors, Trusted, digests
from agtool.le_staging.writing import own_folder, writing

_PATIENCE = 60.0
"""Seconds that one call of certutil may take."""

_AUTHORITY = re.compile(
    r"^(?P<name>\S.*?)\s+(?P<trust>[A-Za-z]*C[A-Za-z]*),[A-Za-z]*,[A-Za-z]*\s*$"
)
"""A line of `certutil -L` about a certificate that is trusted to issue server certificates."""


def read(folder: Path) -> Trusted:
    """The authorities that the database trusts; none when there is no database.

    They go by the names that we gave them, their SHA-256.
    Raises ConfigurationError when certutil is missing or fails.
    """
    if not (folder / "cert9.db").exists():
        return {}
    listed = (_AUTHORITY.match(line) for line in _certutil(folder, "-L").splitlines())
    return {line["name"]: () for line in listed if line}


def write(folder: Path, anchors: Anchors) -> None:
    """Make the database trust these and nothing else; each step can be repeated.

    Raises ConfigurationError when certutil is missing or fails.
    """
    with writing(folder):
        own_folder(folder)
    if not (folder / "cert9.db").exists():
        _certutil(folder, "-N", "--empty-password")
    present, wanted = read(folder), digests(anchors)
    for name in present.keys() - wanted.keys():
        _certutil(folder, "-D", "-n", name)
    for name, der in zip(wanted, anchors, strict=True):
        if name not in present:
            _certutil(folder, "-A", "-n", name, "-t", "C,,", stdin=der)


def _certutil(folder: Path, *arguments: str, stdin: bytes = b"") -> str:
    program = shutil.which("certutil")
    if program is None:
        raise ConfigurationError(
            "the program certutil, which this browser's certificates need, was not found",
            hint="Install it (Debian: apt install libnss3-tools; Fedora: dnf install nss-tools).",
        )
    try:
        run = subprocess.run(
            [program, *arguments, "-d", f"sql:{folder}"],
            input=stdin,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigurationError(f"cannot run certutil: {error}") from error
    if run.returncode:
        reason = run.stderr.decode(errors="replace").strip()
        raise ConfigurationError(f"certutil failed with {folder}: {reason}")
    return run.stdout.decode(errors="replace")
