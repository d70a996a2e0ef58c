"""Which kind of profile a browser gets: the first that passed its self-test, remembered."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path

from agtool.core.errors import ConfigurationError, DeniedError
from agtool.le_staging.browser import selftest
from agtool.le_staging.browser.chromium import Chromium, OldChromium
from agtool.le_staging.browser.firefox import Firefox
from agtool.le_staging.browser.installed import Browser, Version
from agtool.le_staging.browser.profile import Profile
from agtool.le_staging.browser.selftest import Behaviour
from agtool.le_staging.documents import Kind, SelfTest
from agtool.le_staging.roots.store import folder
from agtool.le_staging.writing import write

STORE: Kind = "profile"
HOME: Kind = "private-home"
FIREFOX: Kind = "firefox"
"""Kinds of profile: where it keeps its roots; see `documents.SelfTest`."""


def make(kind: Kind, browser: Browser, folder: Path, *, sandbox: bool = True) -> Profile:
    """A profile of that kind in `folder`, which need not exist."""
    if kind == FIREFOX:
        return Firefox(browser, folder)
    return (OldChromium if kind == HOME else Chromium)(browser, folder, sandbox=sandbox)


def kinds(browser: Browser, version: Version) -> list[Kind]:
    """The kinds to try, the best one first. A Snap or Flatpak cannot be given another home."""
    if version.is_firefox:
        return [FIREFOX]
    return [STORE] if browser.confined else [STORE, HOME]


def remembered(browser: Browser, version: Version) -> SelfTest | None:
    """The self-test that this version of the browser passed."""
    tested = recall().get(browser.program)
    return tested if tested and tested.version == str(version) else None


def test(browser: Browser, version: Version, *, sandbox: bool) -> SelfTest:
    """Test the browser, and remember that it passed.

    Raises DeniedError when it accepts what it must refuse, ConfigurationError when it cannot be
    made to trust a root in one profile, or cannot be started.
    """
    for kind in kinds(browser, version):

        def profile(folder: Path, kind: Kind = kind) -> Profile:
            return make(kind, browser, folder, sandbox=sandbox)

        behaviour = selftest.behaviour(selftest.observe(profile, browser.data))
        _refuse(version, behaviour)
        if behaviour.trusts:
            now = datetime.now(timezone.utc).isoformat(timespec="seconds")
            tested = SelfTest(str(version), kind, behaviour.limits, now)
            everything = {**recall(), browser.program: tested}
            fields = {program: asdict(passed) for program, passed in everything.items()}
            write(_file(), json.dumps(fields, indent=2))
            return tested
    raise ConfigurationError(
        f"{version} failed the self-test: it does not trust the root of its own profile",
        hint=f"Check that it can read {browser.data}: a Snap or a Flatpak behind a script of your "
        "own cannot; name its real program with --browser. A policy of this machine may forbid it "
        "too (chrome://policy); then use another browser, or --firefox.",
    )


def _refuse(version: Version, behaviour: Behaviour) -> None:
    if behaviour.accepted:
        raise DeniedError(
            f"{version} failed the self-test: it accepts {', '.join(behaviour.accepted)}",
            hint="Nothing was opened. Its checks are switched off by a script that starts it with "
            "--ignore-certificate-errors, or by a policy. Use another browser: --browser PATH",
        )
    if behaviour.trusts and behaviour.untested:
        raise ConfigurationError(
            f"{version} did not finish the self-test: it did not try "
            f"{', '.join(behaviour.untested)}",
            hint="Try again when the machine is less busy.",
        )


def recall() -> dict[str, SelfTest]:
    """All self-tests that were passed, by the browser's program."""
    with suppress(OSError, ValueError, TypeError, AttributeError):
        found = json.loads(_file().read_text(encoding="utf-8"))
        return {program: SelfTest(**fields) for program, fields in found.items()}
    return {}


def _file() -> Path:
    return folder() / "self-tests.json"
