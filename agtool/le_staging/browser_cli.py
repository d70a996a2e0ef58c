"""`agtool le-staging chrome`, `desktop` and `remove`: parse, wire, hand the result on."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from agtool.core.errors import ConfigurationError, UsageError
from agtool.core.output import Format, document, errors_as_json, print_json, print_table, say
from agtool.le_staging.status import Section

if TYPE_CHECKING:
    from agtool.le_staging.browser import Browser, Version
    from agtool.le_staging.profile import Profile
    from agtool.le_staging.store import Root
    from agtool.le_staging.tested import Tested

_ONLY = typer.Option(
    metavar="DOMAIN",
    envvar="AGTOOL_LE_STAGING_ONLY",
    help="Trust the roots for DOMAIN and its subdomains only. Can be repeated.",
)
_BROWSER = typer.Option(
    metavar="PATH", envvar="AGTOOL_BROWSER", help="The browser to use.  [default: the first found]"
)
_FIREFOX = typer.Option("--firefox", help="Use Firefox.")
_NO_SANDBOX = typer.Option(
    "--no-sandbox",
    help="Start Chromium without its sandbox: as root, or in a container that forbids it.",
)
_DRY_RUN = typer.Option("--dry-run", help="Say what would be done; change nothing.")
_OUTPUT = typer.Option(help="How to print the result.")


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `agtool le-staging`."""
    app.command()(chrome)
    app.command()(desktop)
    app.command()(remove)


def chrome(  # noqa: PLR0917  # Typer's way: a parameter is an option
    urls: Annotated[
        list[str] | None,
        typer.Argument(metavar="[URL]...", help="What to open.", show_default=False),
    ] = None,
    only: Annotated[list[str] | None, _ONLY] = None,
    browser: Annotated[str | None, _BROWSER] = None,
    firefox: Annotated[bool, _FIREFOX] = False,
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Test the browser again, though it has passed.")
    ] = False,
    no_sandbox: Annotated[bool, _NO_SANDBOX] = False,
    notify: Annotated[
        bool, typer.Option("--notify", help="Show an error on the desktop too.")
    ] = False,
    dry_run: Annotated[bool, _DRY_RUN] = False,
    output: Annotated[Format, _OUTPUT] = Format.table,
) -> int:
    """Open URL in a browser profile that trusts the staging roots.

    The profile is agtool's own; your normal browser stays as it was. Expired
    certificates, wrong names and unknown roots are refused as ever: a self test
    makes sure before a browser is used, and after each of its upgrades.

    Finds Chrome, Chromium, Brave and Edge, also as Snap or Flatpak.

    \b
    Examples:
      agtool le-staging chrome https://example.dev
      agtool le-staging chrome --only example.dev example.dev
      agtool le-staging chrome --firefox https://example.dev
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    from agtool.le_staging.launcher import notifying

    with (
        errors_as_json("le-staging chrome", output is Format.json),
        notifying() if notify else nullcontext(),
    ):
        addresses = [_address(url) for url in urls or []]
        domains = _domains(only)
        chosen, version = _choose(browser, firefox=firefox, no_sandbox=no_sandbox, domains=domains)
        done = _Opening(
            chosen, version, addresses, domains, sandbox=not no_sandbox, self_test=self_test
        )
        data = done.plan() if dry_run else done.run()
        if output is Format.json:
            print_json(document("le-staging chrome", data={"dry_run": dry_run, **data}))
        else:
            _show(done.lines(data, dry_run=dry_run))
        return 0


class _Opening:
    """One call of `chrome`."""

    def __init__(
        self,
        browser: Browser,
        version: Version,
        urls: list[str],
        domains: tuple[str, ...],
        *,
        sandbox: bool,
        self_test: bool,
    ) -> None:
        self._browser = browser
        self._version = version
        self._urls = urls
        self._domains = domains
        self._sandbox = sandbox
        self._self_test = self_test

    def plan(self) -> dict[str, Any]:
        """What `run` would do, as far as it can be known without doing it."""
        from agtool.le_staging import store, tested
        from agtool.le_staging.fetch import LETS_ENCRYPT
        from agtool.le_staging.roots import BY_SHA256

        known = tested.remembered(self._browser, self._version)
        kind = known.kind if known else tested.kinds(self._browser, self._version)[0]
        profile = self._profile(kind)
        try:
            roots = [root.name for root in store.roots()]
            steps = []
        except store.NotFetched:
            roots = [BY_SHA256[wanted.sha256].name for wanted in LETS_ENCRYPT]
            steps = ["fetch the roots"]
        if known is None or self._self_test:
            steps.append("test the browser with a throw-away CA")
        return self._data(kind, roots, profile, None, steps=steps)

    def run(self) -> dict[str, Any]:
        """Test the browser, prepare the profile, start it."""
        from agtool.le_staging import start
        from agtool.le_staging.profile import digests

        roots = _roots()
        passed = self._passed()
        profile = self._profile(passed.kind)
        anchors = {root.der: self._domains for root in roots}
        running = profile.running()
        if not (running and profile.trusted() == digests(anchors)):
            profile.prepare(anchors)
        command = profile.command(self._urls)
        pid = None
        if running:
            start.hand_over(command)
        else:
            log = self._browser.data / "browser.log"
            started = start.start(profile, command, log)
            pid = started.pid
            if not started.seen:
                say(f"warning: the browser is slow to start; what it says: {log}")
        data = self._data(passed.kind, [r.name for r in roots], profile, pid, steps=[])
        return {**data, "self_test": passed._asdict(), "already_running": running}

    def _profile(self, kind: str) -> Profile:
        from agtool.le_staging import tested

        return tested.make(kind, self._browser, self._browser.data, sandbox=self._sandbox)

    def _passed(self) -> Tested:
        from agtool.le_staging import tested

        passed = tested.remembered(self._browser, self._version)
        if passed is None or self._self_test:
            say(f"testing {self._version} with a throw-away CA ...")
            passed = tested.test(self._browser, self._version, sandbox=self._sandbox)
            say(
                "it trusts a good chain in the profile, and refuses expired, wrong name, "
                "self-signed and unknown root"
            )
        if self._domains and not passed.limits:
            raise ConfigurationError(
                f"{self._version} cannot limit trust to domains",
                hint="Leave out --only, or use a Chrome or Chromium that can.",
            )
        if passed.kind == tested.HOME:
            say(
                f"warning: {self._version} has no store of roots in its profile; it gets a home "
                f"folder of its own: {self._browser.data}/home (downloads go there)"
            )
        return passed

    def _data(
        self, kind: str, roots: list[str], profile: Profile, pid: int | None, *, steps: list[str]
    ) -> dict[str, Any]:
        command = profile.command(self._urls)
        return {
            "browser": {"name": str(self._version), "program": self._browser.program},
            "profile": {"kind": kind, "folder": str(self._browser.data)},
            "roots": roots,
            "only": list(self._domains),
            "urls": self._urls,
            "steps": steps,
            "command": command.argv,
            "environment": command.environment,
            "pid": pid,
        }

    def lines(self, data: dict[str, Any], *, dry_run: bool) -> list[tuple[str, str]]:
        """What was done, for people."""
        domains = ", ".join(self._domains)
        where = f"for {domains} and what is below" if domains else "for every domain"
        if dry_run:
            did = "would start" + "".join(f", after it would {step}" for step in data["steps"])
        elif data["already_running"]:
            did = "was running; opened there" if self._urls else "was running"
        else:
            did = f"started (process {data['pid']})"
        lines = [
            ("browser", f"{self._version}: {did}"),
            ("profile", str(self._browser.data)),
            ("trusts", f"{', '.join(data['roots'])}; {where}; only in this profile"),
        ]
        if self._urls:
            lines.append(("opened" if not dry_run else "opens", "\n".join(self._urls)))
        if dry_run:
            lines.append(("command", shlex.join(data["command"])))
        return lines


def _address(text: str) -> str:
    """A URL to open; one without a scheme is taken as https. Raises UsageError."""
    url = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(url)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        fine = False
    # Whitespace and a leading "-" would be read as something else by one browser or the other.
    if not fine or text.startswith("-") or any(c.isspace() or not c.isprintable() for c in text):
        raise UsageError(f"{text!r} is no address of a site", hint="Example: https://example.dev")
    return url


def _domains(only: Sequence[str] | None) -> tuple[str, ...]:
    """The domains of --only in ASCII, without the `*.` that people write. Raises UsageError."""
    from agtool.le_staging.target import parse

    domains: dict[str, None] = {}
    for text in only or []:
        target = parse(text.strip().removeprefix("*").removeprefix("."), 443)
        if target.is_address:
            raise UsageError(
                f"--only {text} is an address, and trust is limited by names",
                hint="Name a domain, such as example.dev.",
            )
        domains[target.host] = None
    return tuple(domains)


def _choose(
    wanted: str | None, *, firefox: bool, no_sandbox: bool, domains: tuple[str, ...]
) -> tuple[Browser, Version]:
    """The browser, if it can do what is asked for."""
    from agtool.le_staging import browser

    chosen = browser.choose(wanted, firefox=firefox)
    version = browser.version(chosen)
    if firefox and not version.is_firefox:
        raise UsageError(f"{chosen.program} is {version}, not Firefox", hint="Leave out --firefox.")
    if version.is_firefox and domains:
        raise UsageError(
            "Firefox cannot limit trust to domains",
            hint="Leave out --only, or leave out --firefox.",
        )
    if version.is_firefox:
        return chosen, version
    if no_sandbox:
        say("warning: without its sandbox a hostile page can do whatever you can")
    elif os.geteuid() == 0:
        raise ConfigurationError(
            f"{version} does not start as root: its sandbox cannot work",
            hint="Run agtool as the user who sits at the desktop. In a throw-away container: "
            "--no-sandbox",
        )
    return chosen, version


def _roots() -> list[Root]:
    """The roots to trust, fetched if they are not there yet."""
    from agtool.le_staging import fetch, store

    try:
        return store.roots()
    except store.NotFetched:
        say("fetching the staging roots ...")
        return list(fetch.fetch(fetch.LETS_ENCRYPT, force=False).roots)


def desktop(  # noqa: PLR0917
    only: Annotated[list[str] | None, _ONLY] = None,
    browser: Annotated[str | None, _BROWSER] = None,
    firefox: Annotated[bool, _FIREFOX] = False,
    no_sandbox: Annotated[bool, _NO_SANDBOX] = False,
    dry_run: Annotated[bool, _DRY_RUN] = False,
    output: Annotated[Format, _OUTPUT] = Format.table,
) -> int:
    """Put a launcher with an icon of its own on the desktop.

    It does what `agtool le-staging chrome` does with the same options, and opens
    addresses that are dropped on it. It does not become the default browser.

    \b
    Examples:
      agtool le-staging desktop
      agtool le-staging desktop --only example.dev
    """  # noqa: D301
    with errors_as_json("le-staging desktop", output is Format.json):
        from agtool.le_staging import launcher

        domains = _domains(only)
        chosen, _ = _choose(browser, firefox=firefox, no_sandbox=no_sandbox, domains=domains)
        command = [_program(), "le-staging", "chrome", "--notify"]
        command += [f"--only={domain}" for domain in domains]
        command += [f"--browser={chosen.program}"] if browser else []
        command += ["--firefox"] if firefox else []
        command += ["--no-sandbox"] if no_sandbox else []
        wanted = launcher.contents(command)
        if not dry_run:
            launcher.install(wanted)
        made = [str(launcher.data_home() / path) for path in wanted]
        if output is Format.json:
            data = {"dry_run": dry_run, "files": made, "command": command}
            print_json(document("le-staging desktop", data=data))
        else:
            _show([("would write" if dry_run else "wrote", "\n".join(made))])
        return 0


def _program() -> str:
    """The absolute path of the agtool that runs. Raises ConfigurationError.

    Not `python -m agtool`: that imports from the folder in which it is started.
    """
    beside = Path(sys.executable).parent / "agtool"
    for path in (Path(sys.argv[0]), beside):
        if path.name == "agtool" and os.access(path, os.X_OK) and path.is_file():
            return str(path.absolute())
    if found := shutil.which("agtool"):
        return found
    raise ConfigurationError(
        "the program agtool was not found, which the launcher would start",
        hint="Install agtool, with pip or pipx, and start it by its name.",
    )


def remove(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, _DRY_RUN] = False,
    output: Annotated[Format, _OUTPUT] = Format.table,
) -> int:
    """Take away everything that `agtool le-staging` has made.

    The browser profiles with their history and cookies, the launcher and its icons,
    the fetched roots. Your normal browser has nothing of it.

    \b
    Examples:
      agtool le-staging remove --dry-run
      agtool le-staging remove --yes
    """  # noqa: D301
    with errors_as_json("le-staging remove", output is Format.json):
        from agtool.le_staging import removal

        found = removal.find()
        if not found:
            say("there is nothing to remove")
        elif not dry_run:
            if not yes:
                _confirm(found)
            removal.remove()
        if output is Format.json:
            data = {"dry_run": dry_run, "removed": [str(path) for path in found]}
            print_json(document("le-staging remove", data=data))
        elif found:
            what = "would remove" if dry_run else "removed"
            _show([(what, "\n".join(map(str, found)))])
        return 0


def _confirm(found: Sequence[Path]) -> None:
    if not sys.stdin.isatty():
        raise UsageError("remove asks before it deletes", hint="Without a terminal: --yes")
    for path in found:
        say(str(path))
    typer.confirm("Remove all of this?", abort=True, err=True)


def sections() -> list[Section]:
    """What `status` says of the browsers and the launcher."""
    from agtool.le_staging import browser_status

    return [browser_status.browsers(), browser_status.desktop_launcher()]


def _show(lines: Sequence[tuple[str, str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for what, text in lines:
        table.add_row(Text(what, style="bold"), Text(text, overflow="fold"))
    print_table(table)
