"""`agtool le-staging verify`: parse, wire, hand the result on."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agtool.core.duration import parse_duration
from agtool.core.errors import ConfigurationError, UsageError
from agtool.core.output import (
    Format,
    document,
    errors_as_json,
    print_json,
    print_table,
    say,
    show_line,
)

if TYPE_CHECKING:
    from agtool.le_staging.verify.checker import Report
    from agtool.le_staging.verify.target import Target


class Expect(str, Enum):
    """The choices of `--expect`."""

    staging = "staging"
    production = "production"


class Protocol(str, Enum):
    """The choices of `--starttls`."""

    smtp = "smtp"
    imap = "imap"
    pop3 = "pop3"
    ftp = "ftp"
    ldap = "ldap"
    postgres = "postgres"


class IpVersion(str, Enum):
    """The choices of `--ip`."""

    four = "4"
    six = "6"


def verify(  # noqa: PLR0917  # Typer's way: a parameter is an option
    hosts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="HOST[:PORT]...", help="Names, addresses or URLs.", show_default=False
        ),
    ] = None,
    expect: Annotated[
        Expect, typer.Option(help="Which certificates are a success.")
    ] = Expect.staging,
    from_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            readable=False,  # not checked by Typer: our own message names the reason
            help="Check the hosts in FILE too, one a line; - is stdin.",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65535,
            metavar="PORT",
            help="For hosts without one.  [default: 443, or the port of --starttls]",
        ),
    ] = None,
    starttls: Annotated[
        Protocol | None,
        typer.Option(help="Begin in this protocol, then go on with TLS."),
    ] = None,
    resolve: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST:PORT:ADDRESS", help="Use ADDRESS instead of DNS, as curl."),
    ] = None,
    connect_to: Annotated[
        list[str] | None,
        typer.Option(metavar="H1:P1:H2:P2", help="Connect to H2:P2 instead of H1:P1, as curl."),
    ] = None,
    ip: Annotated[
        IpVersion | None, typer.Option(help="Only this version.  [default: both]")
    ] = None,
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="For one host, in all.")] = "10s",
    warn_days: Annotated[
        int, typer.Option(min=0, metavar="DAYS", help="Warn of what expires within DAYS.")
    ] = 0,
    pem: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            readable=False,
            help="Save what each host sends there, in a file each.",
        ),
    ] = None,
    output: Annotated[Format, typer.Option(help="How to print the result.")] = Format.table,
) -> int:
    """Verify that hosts have good staging certificates.

    As strict as `curl --cacert` with the staging roots and no others. The verdict
    is STAGING, PRODUCTION (a public root), OTHER (only this machine trusts it) or
    FAILED, with every reason. The exit code is 1 when a host's verdict is not the
    expected one. The roots are fetched when they are not there yet.

    \b
    Examples:
      agtool le-staging verify example.com www.example.com:8443
      agtool le-staging verify --expect production example.com
      agtool le-staging verify --resolve example.com:443:192.0.2.7 example.com
      agtool le-staging verify --starttls smtp mail.example.com
      agtool le-staging verify --from-file hosts.txt --warn-days 14 --output json
    """  # noqa: D301
    with errors_as_json("le-staging verify", output is Format.json):
        from agtool.le_staging.roots.fetch import ensure
        from agtool.le_staging.verify.judge import Verdict
        from agtool.le_staging.verify.target import PORTS, parse_overrides

        seconds = parse_duration(timeout)
        if not seconds:
            raise UsageError(f"--timeout {timeout} leaves no time", hint="Example: --timeout 10s.")
        protocol = starttls.value if starttls else ""
        targets = _targets(hosts or [], from_file, port or PORTS[protocol])
        overrides = parse_overrides(resolve or [], connect_to or [])
        roots = ensure()
        from agtool.le_staging.verify.checker import Checker, How, in_order

        families = {"4": socket.AF_INET, "6": socket.AF_INET6}
        how = How(
            roots=roots,
            expected=Verdict[expect.value],
            protocol=protocol,
            timeout=seconds,
            family=families[ip.value] if ip else socket.AF_UNSPEC,
            overrides=overrides,
            warn_days=warn_days,
        )
        live = len(targets) > 1 and sys.stderr.isatty()

        def progress(count: int) -> None:
            if live:
                show_line(f"{count} of {len(targets)} hosts checked")

        try:
            reports = list(
                in_order(targets, Checker(how).check, timeout=seconds, progress=progress)
            )
        finally:
            if live:
                show_line("")
        if pem:
            _save_chains(pem, reports)
        exit_code = 0 if all(report.fine for report in reports) else 1
        _print(reports, output, exit_code, expect)
        return exit_code


def _targets(hosts: list[str], file: Path | None, port: int) -> list[Target]:
    from agtool.le_staging.verify.target import parse

    listed = list(hosts)
    if file is not None:
        try:
            text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise ConfigurationError(f"cannot read {file}: {reason}") from error
        lines = (line.partition("#")[0].strip() for line in text.splitlines())
        listed += [line for line in lines if line]
    if not listed:
        raise UsageError("no host to check", hint="Name at least one, or use --from-file.")
    return list(dict.fromkeys(parse(host, port) for host in listed))


def _save_chains(folder: Path, reports: Iterable[Report]) -> None:
    from agtool.core.files import write_atomically
    from agtool.le_staging.roots.store import to_pem

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for report in reports:
            if report.seen:
                path = folder / f"{report.target.host}_{report.target.port}.pem"
                chain = "".join(to_pem(certificate.der) for certificate in report.seen.presented)
                write_atomically(path, chain.encode(), mode=0o644)
    except OSError as error:
        raise ConfigurationError(f"cannot write into {folder}: {error.strerror}") from error


def _print(reports: list[Report], output: Format, exit_code: int, expect: Expect) -> None:
    from agtool.le_staging.cli.report import as_data, for_people

    if output is Format.json:
        data = {"expected": expect.value.upper(), "hosts": [as_data(report) for report in reports]}
        print_json(document("le-staging verify", exit_code=exit_code, data=data))
        return
    print_table(*for_people(reports))
    bad = sum(not report.fine for report in reports)
    if len(reports) > 1 and bad:
        say(f"{bad} of {len(reports)} hosts do not verify as {expect.value}")
