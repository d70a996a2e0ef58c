"""Which browsers this machine has, and what each of them is.

A browser from a Snap or a Flatpak sees only folders of its own, so its profile has to lie there.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from agtool.core.errors import ConfigurationError
from agtool.core.home import home
from agtool.le_staging.roots.store import folder


class Known(NamedTuple):
    """A browser that we look for: its programs on PATH and its application ids in Flatpak."""

    programs: tuple[str, ...]
    flatpaks: tuple[str, ...] = ()


CHROMIUMS = (
    Known(("google-chrome-stable", "google-chrome"), ("com.google.Chrome",)),
    Known(("chromium", "chromium-browser"), ("org.chromium.Chromium",)),
    Known(("brave-browser", "brave"), ("com.brave.Browser",)),
    Known(("microsoft-edge-stable", "microsoft-edge"), ("com.microsoft.Edge",)),
    Known(("google-chrome-beta",)),
    Known(("google-chrome-unstable",), ("com.google.ChromeDev",)),
)
FIREFOXES = (Known(("firefox", "firefox-esr"), ("org.mozilla.firefox",)),)
"""In the order in which they are preferred."""

_SNAPS = ("/snap/bin/", "/var/lib/snapd/snap/bin/")
_ANOTHER = "Name a Chromium or a Firefox by its path: --browser PATH"

_VERSION_PATIENCE = 60.0
"""Seconds; the first start of a Snap mounts it."""


class Browser(NamedTuple):
    """A browser that can be started.

    Attributes:
        program: the absolute path that starts it.
        data: the folder for its profile: ours alone, and one that it can read.
        confined: it is a Snap or a Flatpak.
    """

    program: str
    data: Path
    confined: bool = False


class Version(NamedTuple):
    """What a browser says of itself."""

    name: str
    number: str

    def __str__(self) -> str:
        return f"{self.name} {self.number}"

    @property
    def is_firefox(self) -> bool:
        """Whether it is a Firefox; everything else is taken for a Chromium."""
        return "firefox" in self.name.lower()


def find(known: Sequence[Known], environment: Mapping[str, str] = os.environ) -> Iterator[Browser]:
    """The browsers of this machine among `known`, the preferred one first."""
    search = os.pathsep.join((environment.get("PATH", os.defpath), *_SNAPS))
    exports = (folder(environment).parents[1] / "flatpak", Path("/var/lib/flatpak"))
    for browser in known:
        # Several names on PATH are one browser; the first will do.
        on_path = filter(None, (shutil.which(name, path=search) for name in browser.programs))
        yield from map(describe, islice(on_path, 1))
        for application in browser.flatpaks:
            paths = (str(export / "exports/bin" / application) for export in exports)
            runnable = (path for path in paths if os.access(path, os.X_OK))
            yield from map(describe, islice(runnable, 1))


def describe(path: str) -> Browser:
    """The browser that the program at this absolute path starts."""
    if snap := _snap(path):
        data = home() / "snap" / snap / "common/agtool-le-staging"
        return Browser(path, data, confined=True)
    name = Path(path).name
    if "/flatpak/exports/bin/" in path:
        return Browser(path, home() / ".var/app" / name / "data/agtool-le-staging", True)
    # Two programs of one name are two browsers, perhaps of two versions.
    digest = hashlib.sha256(os.path.realpath(path).encode()).hexdigest()[:8]
    return Browser(path, folder() / "browsers" / f"{name}-{digest}")


def _snap(path: str) -> str:
    """The name of the snap that a program starts, or nothing.

    Ubuntu's /usr/bin/chromium-browser and /usr/bin/firefox are scripts that start one.
    """
    if path.startswith(_SNAPS):
        return Path(path).name.partition(".")[0]
    try:
        with open(path, "rb") as file:  # noqa: PTH123  # it may be any kind of file
            start = file.read(4096)
    except OSError:
        return ""
    if not start.startswith(b"#!"):
        return ""
    started = re.search(rb"/snap/bin/([a-z0-9-]+)", start)
    return started[1].decode() if started else ""


def choose(wanted: str | None, *, firefox: bool) -> Browser:
    """The browser at `wanted` (a path, or a name on PATH), or else the preferred one.

    Raises ConfigurationError when there is none.
    """
    if wanted:
        path = shutil.which(wanted)
        if path is None:
            raise ConfigurationError(
                f"the program {wanted} was not found",
                hint="Name a browser by its path: --browser PATH",
            )
        return describe(str(Path(path).absolute()))
    found = next(find(FIREFOXES if firefox else CHROMIUMS), None)
    if found is None:
        names = "Firefox" if firefox else "Chrome, Chromium, Brave or Edge"
        package = "firefox-esr" if firefox else "chromium"
        raise ConfigurationError(
            f"no {names} was found on PATH, among the Snaps or among the Flatpaks",
            hint=f"Install one (Debian: apt install {package}), or name it: --browser PATH",
        )
    return found


def version(browser: Browser) -> Version:
    """What the browser says of itself, such as "Chromium 156.0.8078.79".

    Raises ConfigurationError when it cannot be run, or says nothing of the kind.
    """
    try:
        run = subprocess.run(
            [browser.program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_VERSION_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(f"cannot run {browser.program}: {why}", hint=_ANOTHER) from error
    found = re.search(r"^(.*?)\s+(\d+(?:\.\d+)+)", run.stdout, re.MULTILINE)
    if found is None:
        raise ConfigurationError(
            f"{browser.program} --version prints no version, so it is not a known browser",
            hint=_ANOTHER,
        )
    return Version(found[1].strip(), found[2])
