"""Firefox: a profile of its own, with the roots in the profile's own certificate database."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from agtool.le_staging.browser import nss
from agtool.le_staging.browser.installed import Browser
from agtool.le_staging.browser.profile import COLOUR, NAME, WINDOW_CLASS, Anchors, Command, Trusted
from agtool.le_staging.writing import write

_PREFERENCES: Mapping[str, bool | str] = {
    "browser.aboutwelcome.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "identity.fxaccounts.enabled": False,
    "termsofuse.bypassNotification": True,
    # The colour is in chrome/userChrome.css.
    "toolkit.legacyUserProfileCustomizations.stylesheets": True,
    "trailhead.firstrun.didSeeAboutWelcome": True,
}
"""Nothing here may weaken a check; a test guards it."""

_STYLE = f"#navigator-toolbox {{ background-color: {COLOUR} !important; }}\n"


class Firefox:
    """A profile in `folder`.

    Args:
        browser: what to start.
        folder: the profile's parent, which need not exist.
    """

    can_limit = False

    def __init__(self, browser: Browser, folder: Path) -> None:
        self._browser = browser
        self._profile = folder / NAME

    def trusted(self) -> Trusted:
        return nss.read(self._profile)

    def prepare(self, anchors: Anchors) -> None:
        nss.write(self._profile, anchors)
        preferences = "".join(
            f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
            for name, value in _PREFERENCES.items()
        )
        write(self._profile / "user.js", preferences)
        write(self._profile / "chrome/userChrome.css", _STYLE)

    def running(self) -> bool:
        # Firefox holds a lock (fcntl) on this file from start to end.
        try:
            with (self._profile / ".parentlock").open("r+b") as file:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # there is none
            return False
        return False

    def command(self, urls: Sequence[str], *, headless: bool = False) -> Command:
        argv = [
            self._browser.program,
            "--profile",
            str(self._profile),
            *(("--headless",) if headless else ()),
            *urls,
        ]
        # The window's class, and what the desktop is told on Wayland.
        return Command(argv, {"MOZ_APP_REMOTINGNAME": WINDOW_CLASS})
