"""Chromium and its relatives: a user data directory of its own, with one profile in it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from agtool.le_staging.browser import nss, trust_store
from agtool.le_staging.browser.installed import Browser
from agtool.le_staging.browser.profile import (
    COLOUR,
    NAME,
    TITLE,
    WINDOW_CLASS,
    Anchors,
    Command,
    Trusted,
)
from agtool.le_staging.writing import own_folder, write, writing

_QUIET = ("--no-first-run", "--no-default-browser-check", "--disable-sync")
"""Nothing here may weaken a check; a test guards it."""

_HEADLESS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
)


class Chromium:
    """A profile in the user data directory `folder`, with the roots in the profile's own store.

    Args:
        browser: what to start.
        folder: the user data directory, which need not exist.
        sandbox: whether Chromium's sandbox is on, without which root cannot start it.
    """

    can_limit = True

    def __init__(self, browser: Browser, folder: Path, *, sandbox: bool = True) -> None:
        self._browser = browser
        self._folder = folder
        self._sandbox = sandbox

    @property
    def _profile(self) -> Path:
        return self._folder / NAME

    def trusted(self) -> Trusted:
        return trust_store.read(self._profile)

    def prepare(self, anchors: Anchors) -> None:
        self._settle()
        trust_store.write(self._profile, anchors)

    def _settle(self) -> None:
        """Make what a new profile needs: its name and colour. Later they are the user's."""
        with writing(self._folder):
            own_folder(self._profile)
            self._folder.chmod(0o700)
        files = {
            self._folder / "First Run": "",
            self._folder / "Local State": json.dumps(_LOCAL_STATE),
            self._profile / "Preferences": json.dumps(_PREFERENCES),
        }
        for path, text in files.items():
            if not path.exists():
                write(path, text)

    def running(self) -> bool:
        # Not by SingletonLock: it stays after a crash, exists before there is a window, and
        # names a process of another namespace for a Flatpak. The history is locked from the time
        # when the profile is in use until the browser has ended, by the kernel.
        return trust_store.locked(self._profile / "History")

    def command(self, urls: Sequence[str], *, headless: bool = False) -> Command:
        argv = [
            self._browser.program,
            f"--user-data-dir={self._folder}",
            f"--profile-directory={NAME}",
            f"--class={WINDOW_CLASS}",
            *_QUIET,
            *(_HEADLESS if headless else ()),
            *(() if self._sandbox else ("--no-sandbox",)),
            *urls,
        ]
        # Else crash reports would go to the folder of the user's normal profile.
        return Command(argv, {"BREAKPAD_DUMP_LOCATION": str(self._folder / "Crash Reports")})


class OldChromium(Chromium):
    """For a browser that does not read the profile's store: a home folder of its own.

    There it finds a certificate database (NSS) that no other program uses. The price: its
    downloads, and what it reads from the user's home, are in that folder too.
    """

    can_limit = False

    @property
    def _home(self) -> Path:
        return self._folder / "home"

    @property
    def _database(self) -> Path:
        # All versions take this one where it exists, whatever they would make themselves.
        return self._home / ".pki/nssdb"

    def trusted(self) -> Trusted:
        return nss.read(self._database)

    def prepare(self, anchors: Anchors) -> None:
        self._settle()
        nss.write(self._database, anchors)

    def command(self, urls: Sequence[str], *, headless: bool = False) -> Command:
        argv, environment = super().command(urls, headless=headless)
        environment["HOME"] = str(self._home)
        # Otherwise an X server that asks for the cookie would turn it away.
        own = os.path.expanduser("~/.Xauthority")  # noqa: PTH111  # fails without a home
        environment.setdefault("XAUTHORITY", os.environ.get("XAUTHORITY", own))
        return Command(argv, environment)


_LOCAL_STATE = {"profile": {"info_cache": {NAME: {"name": TITLE, "is_using_default_name": False}}}}

_PREFERENCES = {
    "browser": {
        # A signed 32-bit ARGB.
        "theme": {"user_color2": int(f"ff{COLOUR[1:]}", 16) - 2**32},
        "has_seen_welcome_page": True,
    },
    "extensions": {"theme": {"id": "user_color_theme_id"}},
    "profile": {"name": TITLE},
    "signin": {"allowed": False, "allowed_on_next_startup": False},
}
