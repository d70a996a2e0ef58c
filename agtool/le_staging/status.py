"""What is installed and whether it can be used: the roots, the browsers' profiles, the launcher."""

from __future__ import annotations

from pathlib import Path

from agtool.core.errors import ConfigurationError
from agtool.le_staging import documents
from agtool.le_staging.browser import installed, launcher, tested
from agtool.le_staging.browser.installed import Browser
from agtool.le_staging.roots import store, trust
from agtool.le_staging.roots.pins import CURRENT


def status() -> documents.Status:
    """All of it."""
    return documents.Status(_roots(), _browsers(), _launcher())


def _roots() -> documents.RootsStatus:
    bundle = str(store.bundle())
    try:
        found = store.roots()
    except store.NotFetched:
        missing = [pin.name for pin in CURRENT]
        return documents.RootsStatus("not-installed", bundle, [], missing, [])
    except ConfigurationError as error:
        return documents.RootsStatus("broken", bundle, [], [], [error.finding()])
    fetched = {root.sha256 for root in found}
    trusted, _ = trust.split(found)
    return documents.RootsStatus(
        state="ok",
        bundle=bundle,
        roots=[
            documents.InstalledRoot(root.name, root.sha256, root.private, root in trusted)
            for root in found
        ],
        missing=[pin.name for pin in CURRENT if pin.sha256 not in fetched],
        problems=[],
    )


def _browsers() -> documents.BrowsersStatus:
    known = tested.recall()
    if not known:
        found = installed.find([*installed.CHROMIUMS, *installed.FIREFOXES])
        programs = [browser.program for browser in found]
        return documents.BrowsersStatus("not-installed", [], programs)
    browsers = [_browser(installed.describe(program), test) for program, test in known.items()]
    broken = any(browser.problems for browser in browsers)
    return documents.BrowsersStatus("broken" if broken else "ok", browsers, [])


def _browser(browser: Browser, test: documents.SelfTest) -> documents.BrowserStatus:
    version, trusted, running, problems = None, {}, False, []
    profile = tested.make(test.kind, browser, browser.data)
    try:
        version = str(installed.version(browser))
        trusted = {digest: list(names) for digest, names in profile.trusted().items()}
        running = profile.running()
    except ConfigurationError as error:
        problems.append(error.finding())
    return documents.BrowserStatus(
        program=browser.program,
        folder=str(browser.data),
        self_test=test,
        version=version,
        trusts=trusted,
        running=running,
        problems=problems,
    )


def _launcher() -> documents.LauncherStatus:
    made = launcher.made_before()
    missing = [file for file in made.files if not Path(file).exists()] if made else []
    state: documents.State = "not-installed" if made is None else "broken" if missing else "ok"
    return documents.LauncherStatus(state, str(launcher.data_home() / launcher.ENTRY), missing)
