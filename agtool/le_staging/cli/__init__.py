"""`agtool le-staging`: its commands; here are those about the roots, and `curl`."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from agtool.core.errors import UsageError
from agtool.core.output import Format, document, errors_as_json, print_json, print_text, say
from agtool.le_staging.cli import browser, verify

if TYPE_CHECKING:
    from agtool.le_staging.roots.store import Root

app = typer.Typer(
    add_completion=False,  # the root has it
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_OUTPUT = typer.Option(help="How to print the result.")


@app.callback()
def le_staging() -> None:
    """Verify and open sites that have certificates of Let's Encrypt's staging.

    \b
    Begin with:
      agtool le-staging verify example.com
    """  # noqa: D301  # the backslash keeps the examples' lines apart


@app.command()
def fetch(
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Fetch the root of a private ACME CA instead."),
    ] = None,
    fingerprint: Annotated[
        str | None,
        typer.Option(metavar="SHA256", help="The fingerprint of the certificate at URL."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Fetch again what is there already.")
    ] = False,
    output: Annotated[Format, _OUTPUT] = Format.table,
) -> int:
    """Fetch the staging roots and print their file's path.

    Only certificates with the fingerprints that agtool knows are kept. What is
    there already is not fetched again. With --url and --fingerprint the root of
    a private ACME CA (Pebble, step-ca) comes beside them.

    Proxies and certificates as for curl: HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE.

    \b
    Examples:
      agtool le-staging fetch
      agtool le-staging fetch --url https://ca.example/root.pem --fingerprint 3F:A1:...
    """  # noqa: D301
    with errors_as_json("le-staging fetch", output is Format.json):
        from agtool.le_staging.roots import fetch, store

        if (url is None) != (fingerprint is None):
            raise UsageError(
                "--url and --fingerprint belong together",
                hint="A certificate is known by its fingerprint only: ask the CA for it.",
            )
        wanted = fetch.LETS_ENCRYPT
        if url is not None and fingerprint is not None:
            wanted = (fetch.Wanted(url, fetch.parse_fingerprint(fingerprint)),)
        done = fetch.fetch(wanted, force=force)
        if done.lost:
            say(f"warning: {done.lost.message}; what a private CA had there must be fetched again")
        for failure in done.failures:
            say(f"warning: {failure.message}")
        if done.failures:
            say("the copy that was fetched before is used; it has the right fingerprints")
        elif done.new:
            say(f"fetched {', '.join(root.name for root in done.new)}")
        else:
            say("the roots are there already; --force fetches them again")
        if output is Format.json:
            new = {root.sha256 for root in done.new}
            data = {
                "bundle": str(store.bundle()),
                "roots": [_root(root, fetched=root.sha256 in new) for root in done.roots],
            }
            print_json(document("le-staging fetch", data=data))
        else:
            print_text(str(store.bundle()))
        return 0


def _root(root: Root, *, fetched: bool) -> dict[str, object]:
    return {
        "name": root.name,
        "url": root.url,
        "sha256": root.sha256,
        "private": root.private,
        "fetched_now": fetched,
    }


app.command()(verify_cli.verify)


@app.command()
def curl(
    host: Annotated[str, typer.Argument(metavar="HOST[:PORT]", help="A name, address or URL.")],
    resolve: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST:PORT:ADDRESS", help="Use ADDRESS instead of DNS."),
    ] = None,
    connect_to: Annotated[
        list[str] | None,
        typer.Option(metavar="H1:P1:H2:P2", help="Connect to H2:P2 instead of H1:P1."),
    ] = None,
    output: Annotated[Format, _OUTPUT] = Format.table,
) -> int:
    """Print the curl command that trusts staging only.

    --cacert alone is not enough: Debian's curl goes on trusting the system's roots,
    so that a production certificate passes too.

    \b
    Example:
      agtool le-staging curl example.com
    """  # noqa: D301
    with errors_as_json("le-staging curl", output is Format.json):
        from agtool.le_staging.roots.fetch import ensure
        from agtool.le_staging.verify.curl import command
        from agtool.le_staging.verify.target import parse, parse_overrides

        parse_overrides(resolve or [], connect_to or [])  # wrong ones are refused here
        target = parse(host, 443)
        ensure()
        argv = command(target, resolve=resolve or [], connect_to=connect_to or [], env=os.environ)
        if output is Format.json:
            print_json(document("le-staging curl", data={"argv": argv}))
        else:
            print_text(shlex.join(argv))
        return 0


@app.command()
def status(output: Annotated[Format, _OUTPUT] = Format.table) -> int:
    """Show what is installed and whether it works.

    The exit code is 1 if something is installed and does not work.

    \b
    Example:
      agtool le-staging status --output json
    """  # noqa: D301
    with errors_as_json("le-staging status", output is Format.json):
        from agtool.le_staging.status import print_sections, roots

        sections = [roots(), *browser_cli.sections()]
        exit_code = 1 if any(section.works is False for section in sections) else 0
        if output is Format.json:
            data = {s.name: {"works": s.works, **s.data} for s in sections}
            print_json(document("le-staging status", exit_code=exit_code, data=data))
        else:
            print_sections(sections)
        return exit_code


browser_cli.register(app)
