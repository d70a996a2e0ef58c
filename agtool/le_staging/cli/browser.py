"""`agtool le-staging chrome` and `desktop`: a browser that trusts the staging roots."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agtool.core.command import Format, Result
from agtool.core.errors import ConfigurationError, UsageError, without_effect
from agtool.core.options import DryRun, Output, flag, grouped, option
from agtool.core.system import require_unix
from agtool.le_staging.cli.lines import lines
from agtool.le_staging.cli.twins import UntrustedTwins

if TYPE_CHECKING:
    from agtool.le_staging import documents

Only = Annotated[
    list[str] | None,
    option(
        "DOMAIN",
        "Trust the roots only for DOMAIN and its subdomains. Can be repeated.",
        envvar="AGTOOL_LE_STAGING_ONLY",
    ),
]

Browser = Annotated[
    str | None,
    option(
        "PATH",
        "Use the browser with this path or name.  [default: the first one found]",
        envvar="AGTOOL_BROWSER",
    ),
]

Firefox = Annotated[bool, flag("Use Firefox.", "--firefox")]

NoSandbox = Annotated[
    bool,
    flag(
        "Start Chromium without its sandbox, as root or in a container that forbids it.",
        "--no-sandbox",
    ),
]


@grouped
def chrome(  # noqa: PLR0917  # Typer's way: a parameter is an option
    urls: Annotated[
        list[str] | None,
        typer.Argument(metavar="[URL]...", help="The sites to open.", show_default=False),
    ] = None,
    only: Only = None,
    browser: Browser = None,
    firefox: Firefox = False,
    prepare: Annotated[
        bool,
        flag("Prepare the profile and do not open a window, for browsers in tests.", "--prepare"),
    ] = False,
    self_test: Annotated[
        bool, flag("Test the browser again, even if it passed before.", "--self-test")
    ] = False,
    no_sandbox: NoSandbox = False,
    untrusted_twins: UntrustedTwins = False,
    notify: Annotated[bool, flag("Show errors on the desktop too.", "--notify")] = False,
    dry_run: DryRun = False,
    _output: Output = Format.table,
) -> Result[documents.BrowserOpened]:
    """Open sites in a browser profile that trusts the staging roots.

    The profile belongs to agtool; your normal browser does not change. Expired
    certificates, wrong names and unknown roots are refused as always: a self-test
    checks this before a browser is used, and again after each of its upgrades.

    It finds Chrome, Chromium, Brave and Edge, also as Snap or Flatpak.

    \b
    Examples:
      agtool le-staging chrome https://example.dev
      agtool le-staging chrome --only example.dev example.dev
      agtool le-staging chrome --firefox https://example.dev
      agtool le-staging chrome --prepare
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    require_unix("le-staging chrome")
    from agtool.le_staging.browser import opening
    from agtool.le_staging.browser.launcher import notifying

    if prepare and urls:
        raise without_effect("the URL", "with --prepare, which opens no window")
    with notifying() if notify else nullcontext():
        wish = opening.Wish(
            urls=tuple(map(url_of_site, urls or ())),
            domains=domains(only or ()),
            browser=browser,
            firefox=firefox,
            sandbox=not no_sandbox,
            self_test=self_test,
            untrusted_twins=untrusted_twins,
            start=not prepare,
        )
        done = opening.plan(wish) if dry_run else opening.run(wish)
    return Result(done, _for_people(done))


def _for_people(done: documents.BrowserOpened) -> Iterator[str]:
    if done.prepared_only:
        state = "not started"
    elif done.dry_run:
        state = "would be started"
    elif done.already_running:
        state = "was already running" + (", and opened the sites" if done.urls else "")
    else:
        state = f"started (process {done.pid})"
    scope = f"{', '.join(done.only)} and subdomains" if done.only else "every domain"
    yield from lines("browser", f"{done.browser.name}: {state}")
    yield from lines("before", *done.steps)
    yield from lines("profile", done.profile.folder)
    yield from lines("trusts", f"{', '.join(done.roots)}; for {scope}; in this profile only")
    yield from lines("opens" if done.dry_run else "opened", *done.urls)
    if done.prepared_only:
        yield from _for_tests(done)
    if done.dry_run:
        import shlex

        yield from lines("command", shlex.join(done.command))


def _for_tests(done: documents.BrowserOpened) -> Iterator[str]:
    """How Playwright, Puppeteer and Selenium start the browser with the profile."""
    from json import dumps

    program, *flags = done.command
    yield from lines("flags", *flags)
    yield from lines("variables", *(f"{name}={text}" for name, text in done.environment.items()))
    if done.profile.kind == "firefox":
        return
    folder = next(f for f in flags if f.startswith("--user-data-dir=")).partition("=")[2]
    others = dumps([f for f in flags if not f.startswith("--user-data-dir=")])
    path = dumps(program)
    yield from lines(
        "Playwright",
        f"chromium.launchPersistentContext({dumps(folder)}, "
        f"{{executablePath: {path}, args: {others}}})",
    )
    yield from lines(
        "Puppeteer",
        f"puppeteer.launch({{executablePath: {path}, userDataDir: {dumps(folder)}, "
        f"args: {others}}})",
    )
    yield from lines(
        "Selenium",
        f"options.binary_location = {path}",
        *(f"options.add_argument({dumps(flag)})" for flag in flags),
    )


def url_of_site(text: str) -> str:
    """A URL to open; one without a scheme is taken as https. Raises UsageError."""
    from urllib.parse import urlsplit

    url = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    # Whitespace and a leading "-" would be read as something else by one browser or the other.
    if not valid or text.startswith("-") or any(c.isspace() or not c.isprintable() for c in text):
        raise UsageError(
            f"{text!r} is not a valid URL of a site", hint="Example: https://example.dev"
        )
    return url


def domains(only: Sequence[str]) -> tuple[str, ...]:
    """The domains of --only in ASCII, without the `*.` that people write. Raises UsageError."""
    from agtool.le_staging.verify.target import parse

    found: dict[str, None] = {}
    for text in only:
        target = parse(text.strip().removeprefix("*").removeprefix("."), 443)
        if target.is_address:
            raise UsageError(
                f"--only {text} is an address, and trust can be limited to domain names only",
                hint="Name a domain, such as example.dev.",
            )
        found[target.host] = None
    return tuple(found)


@grouped
def desktop(  # noqa: PLR0917
    only: Only = None,
    browser: Browser = None,
    firefox: Firefox = False,
    no_sandbox: NoSandbox = False,
    untrusted_twins: UntrustedTwins = False,
    dry_run: DryRun = False,
    _output: Output = Format.table,
) -> Result[documents.LauncherInstalled]:
    """Add a launcher for the staging browser to the desktop.

    It runs `agtool le-staging chrome` with the same options, and opens addresses
    that are dropped on it. It does not become the default browser.

    \b
    Examples:
      agtool le-staging desktop
      agtool le-staging desktop --only example.dev
    """  # noqa: D301
    require_unix("le-staging desktop")
    from agtool.le_staging.browser import launcher, opening
    from agtool.le_staging.documents import LauncherInstalled

    names = domains(only or ())
    chosen, _ = opening.choose(opening.Wish((), names, browser, firefox, sandbox=not no_sandbox))
    command = [_program(), "le-staging", "chrome", "--notify"]
    command += [f"--only={name}" for name in names]
    command += [f"--browser={chosen.program}"] if browser else []
    command += ["--firefox"] if firefox else []
    command += ["--no-sandbox"] if no_sandbox else []
    command += ["--untrusted-twins"] if untrusted_twins else []
    contents = launcher.contents(command)
    if not dry_run:
        launcher.install(contents)
    files = [str(launcher.data_home() / path) for path in contents]
    return Result(
        LauncherInstalled(dry_run, files, command),
        lines("would write" if dry_run else "wrote", *files),
    )


def _program() -> str:
    """The absolute path of the agtool that runs. Raises ConfigurationError.

    Not `python -m agtool`: that imports from the folder in which it is started.
    """
    beside = Path(sys.executable).parent / "agtool"
    for path in (Path(sys.argv[0]), beside):
        if path.name == "agtool" and os.access(path, os.X_OK) and path.is_file():
            return str(path.absolute())
    import shutil

    if found := shutil.which("agtool"):
        return found
    raise ConfigurationError(
        "the launcher needs the program agtool, which was not found",
        hint="Install agtool with pip or pipx, and run it by its name.",
    )
