"""`agtool le-staging status` and `remove`: what is there, and taking it away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agtool.core.command import Format, Result
from agtool.core.options import DryRun, Output, Yes, grouped
from agtool.core.output import say
from agtool.core.question import Question
from agtool.core.system import require_unix
from agtool.core.text import count
from agtool.le_staging.cli.lines import lines

if TYPE_CHECKING:
    from agtool.core.finding import Finding
    from agtool.le_staging import documents


@grouped
def status(_output: Output = Format.table) -> Result[documents.Status]:
    """Show the fetched roots, the browser profiles and the launcher.

    The exit code is 1 if one of them is broken.

    \b
    Example:
      agtool le-staging status --output json
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    require_unix("le-staging status")
    from agtool.le_staging.status import status

    found = status()
    broken = "broken" in (found.roots.state, found.browsers.state, found.launcher.state)
    return Result(found, _for_people(found), exit_code=1 if broken else 0)


def _for_people(found: documents.Status) -> Iterator[str]:
    yield f"roots: {found.roots.state}"
    if found.roots.state != "not-installed":
        yield from lines("file", found.roots.bundle)
    for root in found.roots.roots:
        kind = "of a private CA" if root.private else "current"
        trusted = "" if root.trusted else "; not trusted, since no public store has its twin"
        yield from lines("root", f"{root.name}: {kind}, with the right fingerprint{trusted}")
    yield from _problems(found.roots.problems)
    if found.roots.missing:
        names = ", ".join(found.roots.missing)
        yield from lines("missing", names, "Run: agtool le-staging fetch")

    yield f"\nbrowsers: {found.browsers.state}"
    for browser in found.browsers.browsers:
        yield from _browser(browser, found.roots.roots)
    if not found.browsers.browsers:
        yield from lines("found", ", ".join(found.browsers.available) or "no known browser")
        yield from lines("", "Run: agtool le-staging chrome")

    yield f"\nlauncher: {found.launcher.state}"
    if found.launcher.state != "not-installed":
        yield from lines("file", found.launcher.file)
    yield from lines("missing", *found.launcher.missing)
    if found.launcher.state != "ok":
        yield from lines("", "Run: agtool le-staging desktop")


def _browser(
    browser: documents.BrowserStatus, fetched: list[documents.InstalledRoot]
) -> Iterator[str]:
    yield from lines("program", browser.program)
    yield from lines("profile", browser.folder)
    yield from _problems(browser.problems)
    if browser.problems:
        return
    passed = browser.self_test.version
    yield from lines(
        "version",
        f"{browser.version}, self-test passed"
        if browser.version == passed
        else f"{browser.version}, but the self-test was passed by {passed}: the next start "
        "repeats it",
    )
    yield from lines("trusts", _trust(browser.trusts, fetched))
    yield from lines("running", "yes" if browser.running else "no")


def _trust(trusts: dict[str, list[str]], fetched: list[documents.InstalledRoot]) -> str:
    if not trusts:
        return "no root yet; the next start adds them"
    names = sorted({domain for domains in trusts.values() for domain in domains})
    scope = ", ".join(names) or "every domain"
    wanted = [{root.sha256 for root in fetched if root.trusted}, {r.sha256 for r in fetched}]
    current = not fetched or trusts.keys() in wanted
    old = "" if current else "; not the roots that were fetched last: the next start replaces them"
    return f"{count(len(trusts), 'root')} for {scope}{old}"


def _problems(problems: list[Finding]) -> Iterator[str]:
    for problem in problems:
        yield from lines("problem", problem.message, *problem.hint.splitlines())


@grouped
def remove(
    yes: Yes = False, dry_run: DryRun = False, output: Output = Format.table
) -> Result[documents.Removed]:
    """Remove everything that `agtool le-staging` has made.

    These are the browser profiles with their history and cookies, the launcher and
    its icons, and the fetched roots. Your normal browser does not change.

    \b
    Examples:
      agtool le-staging remove --dry-run
      agtool le-staging remove --yes
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    require_unix("le-staging remove")
    from agtool.le_staging import removal
    from agtool.le_staging.documents import Removed

    found = [str(path) for path in removal.find()]
    if found and not dry_run:
        question = Question(yes=yes, output=output)
        text = "Remove the browser profiles, the launcher and the roots?"
        question.require_answer(text)
        if not yes:
            say("\n".join(found))
        question.confirm(text, declined="Nothing was changed.")
        removal.remove()
    elif not found:
        say("there is nothing to remove")
    view = lines("would remove" if dry_run else "removed", *found)
    return Result(Removed(dry_run, found), view)
