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
    from agtool.le_staging.browser.opening import Opening, Wish

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
    from agtool.le_staging.browser.launcher import notifying

    with (
        errors_as_json("le-staging chrome", output is Format.json),
        notifying() if notify else nullcontext(),
    ):
        from agtool.le_staging.browser import opening

        wish = opening.Wish(
            urls=tuple(_address(url) for url in urls or ()),
            domains=_domains(only),
            browser=browser,
            firefox=firefox,
            sandbox=not no_sandbox,
            self_test=self_test,
        )
        done = opening.plan(wish) if dry_run else opening.run(wish)
        if output is Format.json:
            data = {"dry_run": dry_run, **_as_data(wish, done)}
            print_json(document("le-staging chrome", data=data))
        else:
            _show(_for_people(wish, done, dry_run=dry_run))
        return 0


def _as_data(wish: Wish, done: Opening) -> dict[str, Any]:
    return {
        "browser": {"name": str(done.version), "program": done.browser.program},
        "profile": {"kind": done.kind, "folder": str(done.folder)},
        "roots": done.roots,
        "only": wish.domains,
        "urls": wish.urls,
        "steps": done.steps,
        "command": done.command.argv,
        "environment": done.command.environment,
        "pid": done.pid,
        "already_running": done.running,
        "self_test": done.self_test._asdict() if done.self_test else None,
    }


def _for_people(wish: Wish, done: Opening, *, dry_run: bool) -> list[tuple[str, str]]:
    if dry_run:
        did = "would start" + "".join(f", after it would {step}" for step in done.steps)
    elif done.running:
        did = "was running; opened there" if wish.urls else "was running"
    else:
        did = f"started (process {done.pid})"
    domains = ", ".join(wish.domains)
    where = f"for {domains} and what is below" if domains else "for every domain"
    lines = [
        ("browser", f"{done.version}: {did}"),
        ("profile", str(done.folder)),
        ("trusts", f"{', '.join(done.roots)}; {where}; only in this profile"),
    ]
    if wish.urls:
        lines.append(("opens" if dry_run else "opened", "\n".join(wish.urls)))
    if dry_run:
        lines.append(("command", shlex.join(done.command.argv)))
    return lines


def _address(text: str) -> str:
    """A URL to open; one without a scheme is taken as https. Raises UsageError."""
    url = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(url)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    # Whitespace and a leading "-" would be read as something else by one browser or the other.
    if not fine or text.startswith("-") or any(c.isspace() or not c.isprintable() for c in text):
        raise UsageError(f"{text!r} is no address of a site", hint="Example: https://example.dev")
    return url


def _domains(only: Sequence[str] | None) -> tuple[str, ...]:
    """The domains of --only in ASCII, without the `*.` that people write. Raises UsageError."""
    from agtool.le_staging.verify.target import parse

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
        from agtool.le_staging.browser import launcher, opening

        domains = _domains(only)
        chosen, _ = opening.choose(
            opening.Wish((), domains, browser, firefox, sandbox=not no_sandbox)
        )
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
        exit_code = 0
        if not found:
            say("there is nothing to remove")
        elif not (dry_run or yes or _agreed(found)):
            say("nothing was removed")
            found, exit_code = [], 1
        elif not dry_run:
            removal.remove()
        if output is Format.json:
            data = {"dry_run": dry_run, "removed": [str(path) for path in found]}
            print_json(document("le-staging remove", exit_code=exit_code, data=data))
        elif found:
            what = "would remove" if dry_run else "removed"
            _show([(what, "\n".join(map(str, found)))])
        return exit_code


def _agreed(found: Sequence[Path]) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("remove asks before it deletes", hint="Without a terminal: --yes")
    for path in found:
        say(str(path))
    try:
        return typer.confirm("Remove all of this?", err=True)
    except typer.Abort as error:  # what Typer makes of Ctrl-C and Ctrl-D
        raise KeyboardInterrupt from error


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
