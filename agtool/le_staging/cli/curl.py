"""`agtool le-staging curl`: the same check by curl."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agtool.core.command import Format, Result
from agtool.core.options import Output, grouped
from agtool.le_staging.cli.connecting import ConnectTo, Resolve
from agtool.le_staging.cli.twins import UntrustedTwins

if TYPE_CHECKING:
    from agtool.le_staging import documents


@grouped
def curl(
    host: Annotated[
        str, typer.Argument(metavar="HOST[:PORT]", help="A host name, address or URL.")
    ],
    resolve: Resolve = None,
    connect_to: ConnectTo = None,
    untrusted_twins: UntrustedTwins = False,
    _output: Output = Format.table,
) -> Result[documents.CurlCommand]:
    """Print the curl command that trusts the staging roots only.

    They are those whose production twins the public stores have, so that what curl says
    would hold for a production certificate.

    --cacert alone is not enough: Debian's curl goes on trusting the system's roots,
    so that it accepts a production certificate too.

    \b
    Example:
      agtool le-staging curl example.com
    """  # noqa: D301
    import shlex

    from agtool.le_staging.documents import CurlCommand
    from agtool.le_staging.roots.fetch import ensure
    from agtool.le_staging.roots.store import bundle_of, no_certificates
    from agtool.le_staging.verify.target import join, parse, parse_overrides

    parse_overrides(resolve or [], connect_to or [])  # wrong ones are refused here
    target = parse(host, 443)
    bundle = bundle_of(ensure(), untrusted_twins=untrusted_twins)
    argv = ["curl", "--cacert", str(bundle), "--capath", str(no_certificates())]
    for name, values in (("--resolve", resolve), ("--connect-to", connect_to)):
        argv += [word for value in values or () for word in (name, value)]
    argv.append(f"https://{join(target.host, target.port).removesuffix(':443')}/")
    return Result(CurlCommand(argv), [shlex.join(argv)])
