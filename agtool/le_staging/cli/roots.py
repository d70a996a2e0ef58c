"""`agtool le-staging fetch`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from agtool.core.command import Format, Result
from agtool.core.errors import UsageError
from agtool.core.options import Output, flag, grouped, option
from agtool.core.output import say

if TYPE_CHECKING:
    from agtool.le_staging import documents


@grouped
def fetch(
    url: Annotated[
        str | None,
        option("URL", "Fetch the root of a private ACME CA from this URL instead."),
    ] = None,
    fingerprint: Annotated[
        str | None, option("SHA256", "The SHA-256 fingerprint of the certificate at URL.")
    ] = None,
    force: Annotated[
        bool, flag("Fetch the roots again that are there already.", "--force")
    ] = False,
    _output: Output = Format.table,
) -> Result[documents.RootsFetched]:
    """Fetch the staging roots and print the path of their file.

    Only certificates with the fingerprints that agtool knows are kept. A root
    that is there already is not fetched again. With --url and --fingerprint the
    root of a private ACME CA (Pebble, step-ca) is added to the file.

    HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE have the same meaning as for curl.

    \b
    Examples:
      agtool le-staging fetch
      agtool le-staging fetch --url https://ca.example/root.pem --fingerprint 3F:A1:...
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    from agtool.le_staging.roots import fetch

    if (url is None) != (fingerprint is None):
        raise UsageError(
            "--url and --fingerprint must be given together",
            hint="Ask the CA's owner for the SHA-256 fingerprint of its root.",
        )
    wanted = fetch.LETS_ENCRYPT
    if url is not None and fingerprint is not None:
        wanted = (fetch.Wanted(url, fetch.parse_fingerprint(fingerprint)),)
    done = fetch.fetch(wanted, force=force)
    for warning in done.warnings:
        say(warning.message, warning.code, level="warning", hint=warning.hint)
    if new := [root.name for root in done.roots if root.fetched_now]:
        say(f"fetched {', '.join(new)}")
    elif not done.warnings:
        say("the roots are there already; --force fetches them again")
    return Result(done, [done.bundle])
