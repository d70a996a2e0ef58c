"""Which kind of profile a browser gets: the first that passed its self test, remembered."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from agtool.core.errors import ConfigurationError, DeniedError
from agtool.core.files import write_atomically
from agtool.le_staging.browser import selftest
from agtool.le_staging.browser.chromium import Chromium, OldChromium
from agtool.le_staging.browser.firefox import Firefox
from agtool.le_staging.browser.installed import Browser, Version
from agtool.le_staging.browser.profile import Profile
from agtool.le_staging.browser.selftest import Verdict
from agtool.le_staging.roots.store import folder

STORE, HOME, FIREFOX = "profile", "private-home", "firefox"
"""Kinds of profile: the Chromium's own store, a private home, and a Firefox."""


class Tested(NamedTuple):
    """A self test that a browser passed.

    Attributes:
        version: the browser's, with its name.
        kind: the kind of profile that it passed with.
        limits: whether trust can be limited to domains.
        at: when, in ISO 8601.
    """

    version: str
    kind: str
    limits: bool
    at: str


def make(kind: str, browser: Browser, folder: Path, *, sandbox: bool = True) -> Profile:
    """A profile of that kind in `folder`, which need not exist."""
    if kind == FIREFOX:
        return Firefox(browser, folder)
    return (OldChromium if kind == HOME else Chromium)(browser, folder, sandbox=sandbox)


def kinds(browser: Browser, version: Version) -> list[str]:
    """The kinds to try, the best one first. A Snap or Flatpak cannot be given another home."""
    if version.is_firefox:
        return [FIREFOX]
    return [STORE] if browser.confined else [STORE, HOME]


def remembered(browser: Browser, version: Version) -> Tested | None:
    """The self test that this version of the browser passed."""
    tested = recall().get(browser.program)
    return tested if tested and tested.version == str(version) else None


def test(browser: Browser, version: Version, *, sandbox: bool) -> Tested:
    """Test the browser, and remember that it passed.

    Raises DeniedError when it accepts what it must refuse, ConfigurationError when it cannot be
    made to trust a root in one profile, or cannot be started.
    """
    for kind in kinds(browser, version):

        def profile(folder: Path, kind: str = kind) -> Profile:
            return make(kind, browser, folder, sandbox=sandbox)

        verdict = selftest.judge(selftest.observe(profile, browser.data))
        _refuse(version, verdict)
        if verdict.trusts:
            now = datetime.now(timezone.utc).isoformat(timespec="seconds")
            tested = Tested(str(version), kind, verdict.limits, now)
            _remember(browser, tested)
            return tested
    raise ConfigurationError(
        f"{version} does not trust the root of its own profile: self test failed",
        hint=f"Can it read {browser.data}? A Snap or a Flatpak behind a script of your own cannot: "
        "--browser PATH names its real program. Or a policy of this machine forbids it "
        "(chrome://policy). Else try another browser, or --firefox.",
    )


def _refuse(version: Version, verdict: Verdict) -> None:
    if verdict.accepted:
        raise DeniedError(
            f"{version} accepts {', '.join(verdict.accepted)}. Nothing was opened",
            hint="Something switches its checks off: a script that starts it with "
            "--ignore-certificate-errors, or a policy. Try another browser: --browser PATH",
        )
    if verdict.trusts and verdict.untested:
        raise ConfigurationError(
            f"{version} did not finish its self test: {', '.join(verdict.untested)} was not tried",
            hint="The machine may be busy. Try again.",
        )


def recall() -> dict[str, Tested]:
    """All self tests that were passed, by the browser's program."""
    with suppress(OSError, ValueError, TypeError, AttributeError):
        found = json.loads(_file().read_text(encoding="utf-8"))
        return {program: Tested(**fields) for program, fields in found.items()}
    return {}


def _remember(browser: Browser, tested: Tested) -> None:
    everything = {**recall(), browser.program: tested}
    text = json.dumps({program: t._asdict() for program, t in everything.items()}, indent=2)
    path = _file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, text.encode(), mode=0o600)
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from error


def _file() -> Path:
    return folder() / "self-tests.json"
