"""One call of `chrome`: choose the browser, test it, make its profile trust the roots, start it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from agtool.core.errors import ConfigurationError, DeniedError, UsageError
from agtool.core.output import say
from agtool.le_staging.browser import start, tested, turn
from agtool.le_staging.browser.installed import Browser, Version
from agtool.le_staging.browser.profile import Anchors, Command, Profile, digests
from agtool.le_staging.browser.tested import Tested
from agtool.le_staging.roots import fetch, store
from agtool.le_staging.roots.pins import CURRENT


class Wish(NamedTuple):
    """What was asked for.

    Attributes:
        urls: what to open.
        domains: for which the roots are trusted; none: for all.
        browser: a path or a name on PATH; None: the first that is found.
        firefox: it shall be a Firefox.
        sandbox: whether Chromium's sandbox is on.
        self_test: test the browser even if it has passed.
    """

    urls: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    browser: str | None = None
    firefox: bool = False
    sandbox: bool = True
    self_test: bool = False


class Opening(NamedTuple):
    """What was done, or would be.

    Attributes:
        kind: of the profile; see `tested`.
        folder: where the profile lies.
        roots: the names of those that it trusts.
        steps: what would come before the start.
        command: what starts the browser.
        pid: of the browser that was started; None: it ran already, or nothing was done.
        running: it ran already.
        self_test: what the browser passed; None: nothing was done.
    """

    browser: Browser
    version: Version
    kind: str
    folder: Path
    roots: tuple[str, ...]
    command: Command
    steps: tuple[str, ...] = ()
    pid: int | None = None
    running: bool = False
    self_test: Tested | None = None


def choose(wish: Wish) -> tuple[Browser, Version]:
    """The browser, if it can do what is asked for. Raises UsageError or ConfigurationError."""
    chosen = browser.choose(wish.browser, firefox=wish.firefox)
    version = browser.version(chosen)
    if wish.firefox and not version.is_firefox:
        raise UsageError(f"{chosen.program} is {version}, not Firefox", hint="Leave out --firefox.")
    if version.is_firefox and wish.domains:
        raise UsageError(
            "Firefox cannot limit trust to domains",
            hint="Leave out --only, or use a Chromium.",
        )
    if version.is_firefox:
        return chosen, version
    if not wish.sandbox:
        say("warning: without its sandbox a hostile page can do whatever you can")
    elif os.geteuid() == 0:
        raise ConfigurationError(
            f"{version} does not start as root: its sandbox cannot work",
            hint="Run agtool as the user who sits at the desktop. In a throw-away container: "
            "--no-sandbox",
        )
    return chosen, version


def plan(wish: Wish) -> Opening:
    """What `run` would do, as far as it can be known without doing it. Raises as `choose`."""
    chosen, version = choose(wish)
    steps = []
    try:
        roots = tuple(root.name for root in store.roots())
    except store.NotFetched:
        roots = tuple(pin.name for pin in CURRENT)
        steps.append("fetch the roots")
    known = tested.remembered(chosen, version)
    if known is None or wish.self_test:
        steps.append("test the browser with a throw-away CA")
    kind = known.kind if known else tested.kinds(chosen, version)[0]
    command = _profile(wish, chosen, kind).command(wish.urls)
    return Opening(chosen, version, kind, chosen.data, roots, command, tuple(steps))


def run(wish: Wish) -> Opening:
    """Do it.

    Raises AgtoolError of every kind: as `choose`, `fetch.ensure`, `tested.test`, and DeniedError
    when the browser runs and what it trusts would have to change.
    """
    chosen, version = choose(wish)
    roots = fetch.ensure()
    with turn.taken(chosen.data):
        passed = _passed(wish, chosen, version)
        profile = _profile(wish, chosen, passed.kind)
        command = profile.command(wish.urls)
        pid = _open(profile, command, {root.der: wish.domains for root in roots}, chosen.data)
    names = tuple(root.name for root in roots)
    return Opening(
        chosen, version, passed.kind, chosen.data, names, command, (), pid, pid is None, passed
    )


def _open(profile: Profile, command: Command, anchors: Anchors, folder: Path) -> int | None:
    """Start the browser so that it trusts these, or use the one that runs if it does.

    Returns its process id; None: it ran. Raises DeniedError when what runs trusts others.
    """
    if profile.running():
        if profile.trusted() != digests(anchors):
            raise DeniedError(
                f"the browser is running with {folder}, and what it trusts would change",
                hint="Close its windows, then try again.",
            )
        if not start.hand_over(command):
            say("warning: the browser that runs has not answered; look whether it asks something")
        return None
    profile.prepare(anchors)
    log = folder / "browser.log"
    started = start.start(profile, command, log)
    if not started.seen:
        say(f"warning: the browser is slow to start; what it says: {log}")
    return started.pid


def _profile(wish: Wish, chosen: Browser, kind: str) -> Profile:
    return tested.make(kind, chosen, chosen.data, sandbox=wish.sandbox)


def _passed(wish: Wish, chosen: Browser, version: Version) -> Tested:
    """The self test that the browser has passed, if need be just now."""
    passed = tested.remembered(chosen, version)
    if passed is None or wish.self_test:
        say(f"testing {version} with a throw-away CA ...")
        passed = tested.test(chosen, version, sandbox=wish.sandbox)
        say(
            "it trusts a good chain in the profile, and refuses expired, wrong name, "
            "self-signed and unknown root"
        )
    if wish.domains and not passed.limits:
        raise ConfigurationError(
            f"{version} cannot limit trust to domains",
            hint="Leave out --only, or use a Chrome or Chromium that can.",
        )
    if passed.kind == tested.HOME:
        say(
            f"warning: {version} has no store of roots in its profile; it gets a home folder of "
            f"its own: {chosen.data}/home (downloads go there)"
        )
    return passed
