"""What `status` says of the browsers that were given a profile, and of the launcher."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agtool.core.errors import ConfigurationError
from agtool.le_staging.browser import launcher, tested
from agtool.le_staging.browser.installed import Browser
from agtool.le_staging.browser.profile import Trusted
from agtool.le_staging.browser.tested import Tested
from agtool.le_staging.roots import store
from agtool.le_staging.status import Section


def browsers() -> Section:
    """The browsers that passed a self test, and what their profiles trust."""
    known = {browser.describe(program): test for program, test in tested.recall().items()}
    if not known:
        found = browser.find([*browser.CHROMIUMS, *browser.FIREFOXES])
        programs = ", ".join(one.program for one in found) or "no browser that agtool knows"
        text = f"found: {programs}. Run: agtool le-staging chrome"
        return Section("browsers", None, [("state", text)], {"browsers": []})
    described = [_browser(one, test) for one, test in known.items()]
    lines = [(one["program"], one["state"]) for one in described]
    works = not any(one["problem"] for one in described)
    return Section("browsers", works, lines, {"browsers": described})


def _browser(one: Browser, test: Tested) -> dict[str, Any]:
    data: dict[str, Any] = {
        "program": one.program,
        "folder": str(one.data),
        "self_test": test._asdict(),
        "version": None,
        "trusts": {},
        "running": False,
        "problem": None,
    }
    profile = tested.make(test.kind, one, one.data)
    try:
        version = str(browser.version(one))
        trusted = profile.trusted()
    except ConfigurationError as error:
        return {**data, "problem": error.message, "state": f"{error.message}. {error.hint}".strip()}
    running = profile.running()
    parts = [f"{version}, self test passed"]
    if version != test.version:
        parts = [f"{version}, tested as {test.version}: the next start tests it again"]
    parts.append(_trust(trusted))
    if running:
        parts.append("running")
    return {
        **data,
        "version": version,
        "trusts": {digest: list(domains) for digest, domains in trusted.items()},
        "running": running,
        "state": "; ".join(parts),
    }


def _trust(trusted: Trusted) -> str:
    """What a profile trusts, for people."""
    if not trusted:
        return "trusts nothing yet: the next start changes that"
    domains = sorted({domain for names in trusted.values() for domain in names})
    where = f"for {', '.join(domains)}" if domains else "for every domain"
    try:
        current = trusted.keys() == {root.sha256 for root in store.roots()}
    except ConfigurationError:
        current = True  # the section of the roots tells
    old = "" if current else ", which are not those that were fetched: the next start changes that"
    roots = "1 root" if len(trusted) == 1 else f"{len(trusted)} roots"
    return f"trusts {roots} {where}{old}"


def desktop_launcher() -> Section:
    """The launcher and its icons."""
    made = launcher.made_before()
    if made is None:
        return Section(
            "launcher", None, [("state", "Run: agtool le-staging desktop")], {"missing": []}
        )
    missing = [file for file in made.files if not Path(file).exists()]
    lines = [("file", str(launcher.data_home() / launcher.ENTRY))]
    if missing:
        lines.append(("missing", f"{', '.join(missing)}. Run: agtool le-staging desktop"))
    return Section("launcher", not missing, lines, {"missing": missing})
