"""Removing everything that le-staging has made: check that no browser runs, then delete."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack, suppress
from pathlib import Path

from agtool.core.errors import ConfigurationError, DeniedError
from agtool.core.home import home
from agtool.le_staging.browser import launcher, turn
from agtool.le_staging.browser.chromium import Chromium
from agtool.le_staging.browser.firefox import Firefox
from agtool.le_staging.browser.installed import Browser
from agtool.le_staging.roots import store

CONFINED = ("snap/*/common/agtool-le-staging", ".var/app/*/data/agtool-le-staging")
"""Where profiles lie for Snaps and Flatpaks, below the user's home."""


def profiles() -> list[Path]:
    """The folders with a browser's profile, for all browsers that were ever used."""
    own = (store.folder() / "browsers").glob("*")
    confined: list[Path] = []
    with suppress(ConfigurationError):  # who has no home has nothing there
        confined = [path for pattern in CONFINED for path in home().glob(pattern)]
    return sorted(filter(Path.is_dir, (*own, *confined)))


def find() -> list[Path]:
    """Everything that `remove` would delete."""
    made = launcher.made_before()
    files = [Path(file) for file in made.files] if made else []
    return list(filter(os.path.lexists, (*profiles(), *files, store.folder())))


def remove() -> None:
    """Delete it all.

    Raises DeniedError when a browser runs with one of the profiles, or another agtool is about to
    start one (then nothing is deleted), or ConfigurationError when something cannot be deleted.
    """
    found = profiles()
    with ExitStack() as ours:
        for profile in found:
            ours.enter_context(turn.taken(profile, wait=False))
            browser = Browser("", profile)
            if Chromium(browser, profile).running() or Firefox(browser, profile).running():
                raise DeniedError(
                    f"nothing was removed, since a browser is running with {profile}",
                    hint="Close its windows, then try again.",
                )
        launcher.remove()
        for path in filter(os.path.lexists, (*found, store.folder())):
            try:
                _delete(path)
            except OSError as error:
                raise ConfigurationError(
                    f"cannot remove {error.filename or path}: {error.strerror or error}",
                    hint="Correct its permissions, then try again.",
                ) from error
    with suppress(OSError):  # another technique keeps something there
        store.folder().parent.rmdir()


def _delete(path: Path) -> None:
    """Delete a folder; of a link to one both, since what lies there is ours. Raises OSError."""
    if not path.is_symlink():
        shutil.rmtree(path)
        return
    if (folder := path.resolve()).is_dir():
        shutil.rmtree(folder)
    path.unlink()
