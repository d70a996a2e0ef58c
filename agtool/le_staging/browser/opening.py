"""One call of `chrome`: choose a browser, test it, make its profile trust the roots, start it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from agtool.core.errors import ConfigurationError, DeniedError, UsageError
from agtool.core.output import say
from agtool.le_staging.browser import installed, start, tested, turn
from agtool.le_staging.browser.installed import Browser, Version
from agtool.le_staging.browser.profile import Command, Profile, digests
from agtool.le_staging.documents import BrowserOpened, Kind, ProfileFolder, Program, SelfTest
from agtool.le_staging.roots import fetch, store, trust
from agtool.le_staging.roots.pins import CURRENT
from agtool.le_staging.roots.store import Root


class Wish(NamedTuple):
    """What was asked for.

    Attributes:
        urls: what to open.
        domains: for which the roots are trusted; none: for all.
        browser: a path or a name on PATH; None: the first that is found.
        firefox: whether it must be a Firefox.
        sandbox: whether Chromium's sandbox is on.
        self_test: test the browser even if it has passed.
        untrusted_twins: trust the roots too whose production twins no public store has.
        start: whether to start the browser, and not only to prepare its profile.
    """

    urls: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    browser: str | None = None
    firefox: bool = False
    sandbox: bool = True
    self_test: bool = False
    untrusted_twins: bool = False
    start: bool = True

    def trusted(self, roots: Sequence[Root]) -> list[Root]:
        """Those of the fetched roots that the profile is to trust."""
        return list(roots) if self.untrusted_twins else trust.split(roots)[0]


def choose(wish: Wish) -> tuple[Browser, Version]:
    """The browser, if it can do what is asked for. Raises UsageError or ConfigurationError."""
    chosen = installed.choose(wish.browser, firefox=wish.firefox)
    version = installed.version(chosen)
    if wish.firefox and not version.is_firefox:
        raise UsageError(f"{chosen.program} is {version}, not Firefox", hint="Leave out --firefox.")
    if version.is_firefox and wish.domains:
        raise UsageError(
            "Firefox cannot limit trust to domains",
            hint="Leave out --only and unset AGTOOL_LE_STAGING_ONLY, or use a Chromium.",
        )
    if version.is_firefox and not wish.sandbox:
        raise UsageError(
            "--no-sandbox has no effect with Firefox",
            hint="Leave out --no-sandbox.",
        )
    if not wish.sandbox:
        say("without the sandbox a hostile page can do everything that you can do", level="warning")
    elif not version.is_firefox and os.geteuid() == 0:
        raise ConfigurationError(
            f"{version} does not start as root, since its sandbox cannot work",
            hint="Run agtool as the user of the desktop. In a disposable container you can use "
            "--no-sandbox.",
        )
    return chosen, version


def plan(wish: Wish) -> BrowserOpened:
    """What `run` would do, as far as it can be known without doing it. Raises as `choose`."""
    chosen, version = choose(wish)
    steps = []
    try:
        roots = [root.name for root in wish.trusted(store.roots())]
    except store.NotFetched:
        wanted = [Root(pin.name, pin.url, pin.sha256, b"") for pin in CURRENT]
        roots = [root.name for root in wish.trusted(wanted)]
        steps.append("fetch the roots")
    known = tested.remembered(chosen, version)
    if known is None or wish.self_test:
        steps.append("test the browser with a temporary CA")
    kind = known.kind if known else tested.kinds(chosen, version)[0]
    command = tested.make(kind, chosen, chosen.data, sandbox=wish.sandbox).command(wish.urls)
    return replace(_opened(wish, chosen, version, kind, command), roots=roots, steps=steps)


def run(wish: Wish) -> BrowserOpened:
    """Do it.

    Raises AgtoolError of every kind: as `choose`, `fetch.ensure`, `tested.test`, and DeniedError
    when the browser runs and what it trusts would have to change.
    """
    chosen, version = choose(wish)
    roots = wish.trusted(fetch.ensure())
    with turn.taken(chosen.data):
        passed = _passed(wish, chosen, version)
        profile = tested.make(passed.kind, chosen, chosen.data, sandbox=wish.sandbox)
        command = profile.command(wish.urls)
        anchors = {root.der: wish.domains for root in roots}
        running = profile.running()
        if running and profile.trusted() != digests(anchors):
            raise DeniedError(
                f"the browser is running with {chosen.data}, and what it trusts would change",
                hint="Close its windows, then try again.",
            )
        if not running:
            profile.prepare(anchors)
        pid = _open(profile, command, chosen.data, running=running) if wish.start else None
    return replace(
        _opened(wish, chosen, version, passed.kind, command),
        dry_run=False,
        roots=[root.name for root in roots],
        pid=pid,
        already_running=running,
        self_test=passed,
    )


def _opened(
    wish: Wish, chosen: Browser, version: Version, kind: Kind, command: Command
) -> BrowserOpened:
    """What is to be done, before anything was done."""
    return BrowserOpened(
        dry_run=True,
        browser=Program(str(version), chosen.program),
        profile=ProfileFolder(kind, str(chosen.data)),
        roots=[],
        only=list(wish.domains),
        urls=list(wish.urls),
        steps=[],
        prepared_only=not wish.start,
        command=command.argv,
        environment=command.environment,
        pid=None,
        already_running=False,
        self_test=None,
    )


def _open(profile: Profile, command: Command, folder: Path, *, running: bool) -> int | None:
    """Start the browser, or use the one that runs; its process id; None: it ran."""
    if not running:
        return start.start(profile, command, folder / "browser.log")
    if not start.hand_over(command):
        say(
            "the running browser has not answered; check whether it shows a question",
            level="warning",
        )
    return None


def _passed(wish: Wish, chosen: Browser, version: Version) -> SelfTest:
    """The self-test that the browser has passed, if need be just now."""
    passed = tested.remembered(chosen, version)
    if passed is None or wish.self_test:
        say(f"testing {version} with a temporary CA ...")
        passed = tested.test(chosen, version, sandbox=wish.sandbox)
        say(
            "it passed: it accepts a valid chain, and refuses expired and self-signed "
            "certificates, wrong names and unknown roots"
        )
    if wish.domains and not passed.limits:
        raise ConfigurationError(
            f"{version} cannot limit trust to domains",
            hint="Leave out --only and unset AGTOOL_LE_STAGING_ONLY, or upgrade the browser.",
        )
    if passed.kind == tested.HOME:
        say(
            f"{version} cannot keep roots in a profile, so it gets a home folder of its "
            f"own, where downloads go too: {chosen.data}/home",
            level="warning",
        )
    return passed
