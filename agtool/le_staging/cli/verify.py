"""`agtool le-staging verify` and `curl`: whether hosts have good staging certificates."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agtool.core.command import Format, Result
from agtool.core.errors import ConfigurationError, UsageError
from agtool.core.options import Output, duration, flag, number, option, path, positive
from agtool.le_staging.cli.twins import UntrustedTwins

if TYPE_CHECKING:
    from agtool.le_staging import documents
    from agtool.le_staging.roots.store import Root
    from agtool.le_staging.verify.checker import Report
    from agtool.le_staging.verify.target import Target

Resolve = Annotated[
    list[str] | None,
    option(
        "HOST:PORT:ADDRESS",
        "Connect to ADDRESS instead of asking DNS, as curl does. Can be repeated.",
    ),
]

ConnectTo = Annotated[
    list[str] | None,
    option(
        "HOST1:PORT1:HOST2:PORT2",
        "Connect to HOST2:PORT2 instead of HOST1:PORT1, as curl does. Can be repeated.",
    ),
]


def verify(  # noqa: PLR0917  # Typer's way: a parameter is an option
    hosts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="HOST[:PORT]...",
            help="Host names, addresses or URLs.",
            show_default=False,
        ),
    ] = None,
    expect: Annotated[
        Literal["staging", "production"],
        option("[staging|production]", "Say which certificates count as a success."),
    ] = "staging",
    from_file: Annotated[
        Path | None,
        path("FILE", "Also check the hosts in FILE, one on each line; - stands for stdin."),
    ] = None,
    port: Annotated[
        int | None,
        number(
            "PORT",
            "Use this port for hosts without one",
            1,
            65535,
            default="443, or that of --starttls",
        ),
    ] = None,
    starttls: Annotated[
        Literal["smtp", "imap", "pop3", "ftp", "ldap", "postgres"] | None,
        option("[smtp|imap|pop3|ftp|ldap|postgres]", "Begin in this protocol, and then start TLS."),
    ] = None,
    resolve: Resolve = None,
    connect_to: ConnectTo = None,
    ip: Annotated[
        Literal["4", "6"] | None, option("[4|6]", "Use only this version of IP.  [default: both]")
    ] = None,
    all_addresses: Annotated[
        bool,
        flag(
            "Check each address of a host, and certificates with both kinds of keys.",
            "--all-addresses",
        ),
    ] = False,
    timeout: Annotated[
        float,
        duration("Give up on a host after this time.  [default: 10s]", callback=positive),
    ] = 10.0,
    warn_days: Annotated[
        int,
        number("DAYS", "Warn of certificates that expire within DAYS days", 0, 36500),
    ] = 0,
    pem: Annotated[
        Path | None,
        path("FOLDER", "Save the certificates that each host sends as a file in FOLDER."),
    ] = None,
    _output: Output = Format.table,
) -> Result[documents.HostsVerified]:
    """Verify that hosts have valid staging certificates.

    It is as strict as `curl --cacert` with the staging roots and no others. The verdict
    is STAGING, PRODUCTION (a public root), OTHER (only this machine trusts it) or
    FAILED, with every reason. The exit code is 1 when a host's verdict is not the
    expected one. The roots are fetched if they are not there yet.

    \b
    Examples:
      agtool le-staging verify example.com www.example.com:8443
      agtool le-staging verify --expect production example.com
      agtool le-staging verify --resolve example.com:443:192.0.2.7 example.com
      agtool le-staging verify --starttls smtp mail.example.com
      agtool le-staging verify --from-file hosts.txt --warn-days 14 --output json
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    from agtool.core.live import Progress
    from agtool.le_staging.verify.target import PORTS, parse_overrides

    protocol = starttls or ""
    lines = _lines(hosts or [], from_file, port or PORTS[protocol])
    overrides = parse_overrides(resolve or [], connect_to or [])
    roots = _roots(expect)
    import socket

    from agtool.le_staging.cli import report
    from agtool.le_staging.verify.checker import Checker, failed_line, in_order
    from agtool.le_staging.verify.judge import Verdict
    from agtool.le_staging.verify.look import How

    how = How(
        roots=roots,
        expected=Verdict[expect],
        protocol=protocol,
        timeout=timeout,
        family={"4": socket.AF_INET, "6": socket.AF_INET6}.get(ip or "", socket.AF_UNSPEC),
        overrides=overrides,
        warn_days=warn_days,
        all_addresses=all_addresses,
    )
    targets = [target for target in lines.values() if not isinstance(target, UsageError)]
    with Progress("hosts checked", len(targets)) as progress:
        check = Checker(how).check
        checked = in_order(targets, check, timeout=timeout, progress=progress.advance)
        reports = [
            failed_line(text, found) if isinstance(found, UsageError) else next(checked)
            for text, found in lines.items()
        ]
    if pem:
        _save_chains(pem, reports)
    return Result(
        report.as_data(how.expected, reports),
        report.for_people(how.expected, reports),
        exit_code=0 if all(found.as_expected for found in reports) else 1,
    )


def _roots(expect: str) -> list[Root]:
    """The roots of staging; for production nobody has to fetch them."""
    from agtool.le_staging.roots import fetch, store

    if expect != "production":
        return fetch.ensure()
    try:
        return store.roots()
    except store.NotFetched:
        return []


def _lines(hosts: list[str], file: Path | None, port: int) -> dict[str, Target | UsageError]:
    """Each host that was given, and what is wrong with it if it is none.

    Raises UsageError when there is none at all.
    """
    from agtool.le_staging.verify.target import parse

    listed = list(hosts)
    if file is not None:
        try:
            text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text (UTF-8)"
            raise ConfigurationError(
                f"cannot read {file}: {reason}", hint="Correct --from-file."
            ) from error
        lines = (line.partition("#")[0].strip() for line in text.splitlines())
        listed += [line for line in lines if line]
    if not listed:
        raise UsageError("no host was given", hint="Name at least one host, or use --from-file.")
    found: dict[Target | str, tuple[str, Target | UsageError]] = {}
    for text in listed:
        try:
            target = parse(text, port)
            found.setdefault(target, (text, target))
        except UsageError as error:
            found.setdefault(text, (text, error))
    wrong = [error for _, error in found.values() if isinstance(error, UsageError)]
    if len(wrong) == len(found) and file is None:
        raise wrong[0]  # with nothing to check, it is the command line that is wrong
    return dict(found.values())


def _save_chains(folder: Path, reports: Iterable[Report]) -> None:
    from ssl import DER_cert_to_PEM_cert

    from agtool.le_staging.writing import write

    for report in reports:
        if report.evidence:
            file = folder / f"{report.target.host}_{report.target.port}.pem"
            chain = "".join(DER_cert_to_PEM_cert(sent.der) for sent in report.evidence.presented)
            hint = "Name a folder with --pem that you can write to."
            write(file, chain, mode=0o644, hint=hint)


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
    if any(map(os.environ.get, ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"))):
        argv += ["--noproxy", "*"]  # as `verify`, which never uses one
    for name, values in (("--resolve", resolve), ("--connect-to", connect_to)):
        argv += [word for value in values or () for word in (name, value)]
    argv.append(f"https://{join(target.host, target.port).removesuffix(':443')}/")
    return Result(CurlCommand(argv), [shlex.join(argv)])
