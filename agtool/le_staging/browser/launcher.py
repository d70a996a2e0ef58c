"""The launcher on the desktop, and its icon; what was made is written down, so that it can go.

It has no MimeType. With `x-scheme-handler/https` a desktop that was never told which browser to
use takes the newest one in the user's folder: every link of every program would open in the
browser that trusts the staging roots. It opens addresses that are dropped on it or given to it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from agtool.core.errors import AgtoolError, ConfigurationError
from agtool.le_staging.browser.profile import TITLE, WINDOW_CLASS
from agtool.le_staging.roots.store import folder
from agtool.le_staging.writing import write

SIZES = (16, 24, 32, 48, 64, 128, 256)
"""Pixels of the icons; beside them stands the drawing from which they were made (SVG)."""

ENTRY = f"applications/{WINDOW_CLASS}.desktop"

_CACHES = (
    ("update-desktop-database", "applications", "mimeinfo.cache", ()),
    (
        "gtk-update-icon-cache",
        "icons/hicolor",
        "icon-theme.cache",
        ("--force", "--ignore-theme-index"),
    ),
)
"""What keeps a cache of a folder: the program, the folder, the cache, its options.

Only a cache that is there is renewed. A new one would hide the icons that others add later.
Without --force GTK takes a cache for up to date that was made within the same second.
"""


class Made(NamedTuple):
    """What `install` made, for `remove`: files, and the folders that were not there before."""

    files: list[str]
    folders: list[str]


def data_home() -> Path:
    """Where the user's launchers and icons are (XDG Base Directory Specification)."""
    return folder().parents[1]


def contents(command: Sequence[str]) -> dict[str, bytes]:
    """The files to make, by their path below `data_home`."""
    icons = files("agtool.le_staging") / "icons"
    made = {ENTRY: entry(command).encode()}
    for size in SIZES:
        path = f"icons/hicolor/{size}x{size}/apps/{WINDOW_CLASS}.png"
        made[path] = (icons / f"{WINDOW_CLASS}-{size}.png").read_bytes()
    drawing = f"{WINDOW_CLASS}.svg"
    made[f"icons/hicolor/scalable/apps/{drawing}"] = (icons / drawing).read_bytes()
    return made


def entry(command: Sequence[str]) -> str:
    """The desktop entry that runs `command` with the addresses it is given.

    Source: Desktop Entry Specification; Version is the first that has Keywords.
    """
    lines = (
        "[Desktop Entry]",
        "Type=Application",
        "Version=1.1",
        f"Name={TITLE}",
        "GenericName=Web Browser",
        "Comment=A browser profile that trusts the roots of Let's Encrypt's staging environment",
        f"Exec={' '.join(map(quoted, command))} %U",
        f"Icon={WINDOW_CLASS}",
        f"StartupWMClass={WINDOW_CLASS}",
        "StartupNotify=true",
        "Terminal=false",
        "Categories=Network;WebBrowser;",
        "Keywords=certificate;TLS;ACME;staging;",
    )
    return "\n".join(lines) + "\n"


def quoted(argument: str) -> str:
    """An argument of Exec: first the quoting of the key, then that of every string."""
    for character in '\\"`$':
        argument = argument.replace(character, "\\" + character)
    return '"' + argument.replace("\\", "\\\\").replace("%", "%%") + '"'


def install(wanted: Mapping[str, bytes]) -> None:
    """Make these files below `data_home`, and write down what was made.

    Raises ConfigurationError when one cannot be written; then `remove` takes away the others.
    """
    base = data_home()
    made = made_before() or Made([], [])
    for relative in wanted:
        path = base / relative
        missing = [str(p) for p in path.parents if base in p.parents and not p.exists()]
        made.folders.extend(f for f in reversed(missing) if f not in made.folders)
        if str(path) not in made.files:
            made.files.append(str(path))
    # First, so that an interrupted installation can be removed too.
    write(_record(), json.dumps(made._asdict(), indent=2))
    hint = (
        "Free some space, or correct the permissions. To remove the rest: agtool le-staging remove"
    )
    for relative, content in wanted.items():
        write(base / relative, content, mode=0o644, hint=hint)
    _renew_caches()


def made_before() -> Made | None:
    """What `install` made; None: nothing, or nobody knows."""
    try:
        return Made(**json.loads(_record().read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def remove() -> None:
    """Take away what was made, and no folder that others use. Raises ConfigurationError."""
    made = made_before()
    if made is None:
        return
    try:
        for file in made.files:
            with suppress(FileNotFoundError, NotADirectoryError):
                Path(file).unlink()
        for made_folder in reversed(made.folders):
            with suppress(OSError):  # others have put something there
                Path(made_folder).rmdir()
        _renew_caches()
        _record().unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(f"cannot remove {error.filename}: {error.strerror}") from error


@contextmanager
def notifying() -> Iterator[None]:
    """Show an error on the desktop too: nobody sees what a launcher writes."""
    try:
        yield
    except AgtoolError as error:
        if program := shutil.which("notify-send"):
            text = f"{error.message}\n{error.hint}".strip()
            _run([program, f"--icon={WINDOW_CLASS}", "--", TITLE, text])
        raise


def _renew_caches() -> None:
    for program, below, cache, options in _CACHES:
        place = data_home() / below
        if place.exists():
            with suppress(OSError):
                os.utime(place)  # desktops watch it
        if (place / cache).exists() and (found := shutil.which(program)):
            _run([found, "--quiet", *options, str(place)])


def _run(argv: Sequence[str]) -> None:
    """Run a tool of the desktop. Its failure does not matter."""
    with suppress(OSError, subprocess.TimeoutExpired):
        quiet = subprocess.DEVNULL
        subprocess.run(argv, stdin=quiet, stdout=quiet, stderr=quiet, timeout=30, check=False)


def _record() -> Path:
    return folder() / "launcher.json"
