"""agtool's self-contained folders and images for tests: made once for a state of the sources."""

import hashlib
import os
import shutil
import subprocess
import time
from pathlib import Path

from bundle import ROOT, apt, cache
from bundle.__main__ import make
from bundle.selection import SMALL, Selection
from tests.cluster.machine import architecture
from tests.servers.process import ServerUnavailable
from tests.servers.versions import new_folder

_SOURCES = (
    *("agtool", "bundle", "pause", "LICENSE"),
    *("requirements/bundle.txt", "requirements/bundle-full.txt"),
)

_KEPT_FOR = 2 * 86_400
"""Seconds after which a state of the sources that no test has asked for is removed."""


def made(selection: Selection = SMALL, *architectures: str) -> Path:
    """A folder with what `python -m bundle` makes for some architectures (none: this machine's).

    Raises ServerUnavailable.
    """
    wanted = architectures or (architecture(),)
    built = cache() / "built"
    place = built / f"{selection.name}-{'-'.join(wanted)}-{_state()}"
    try:
        with new_folder(place) as new:
            if new is not None:
                make(new, wanted, selection)
    except (apt.AptError, subprocess.CalledProcessError) as error:
        raise ServerUnavailable(f"{selection.name} cannot be made: {error}") from error
    os.utime(place)
    for old in built.iterdir():
        if old.is_dir() and old.stat().st_mtime < time.time() - _KEPT_FOR:
            shutil.rmtree(old, ignore_errors=True)
    return place


def image(selection: Selection = SMALL) -> Path:
    """The archive of the image for this machine's architecture. Raises ServerUnavailable."""
    (archive,) = made(selection).glob("*-image.tar")
    return archive


def unpack(target: Path, selection: Selection = SMALL) -> Path:
    """Unpack the archive for this machine below `target`; return the folder that it has.

    Raises ServerUnavailable.
    """
    (archive,) = made(selection).glob("*.tar.gz")
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "-xzf", archive, "-C", target], check=True)
    return target / "agtool"


def _state() -> str:
    """A hash of all that a folder is made from."""
    digest = hashlib.sha256()
    for top in _SOURCES:
        path = ROOT / top
        for source in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if source.is_file() and source.suffix != ".pyc":
                digest.update(f"{source.relative_to(ROOT)}\0{source.stat().st_size}\0".encode())
                digest.update(source.read_bytes())
    return digest.hexdigest()[:16]
