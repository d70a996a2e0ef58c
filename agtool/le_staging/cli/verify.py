"""`agtool le-staging verify`: whether hosts have good staging certificates."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agtool.core.command import Format, Result
from agtool.core.errors import ConfigurationError, UsageError
from agtool.core.options import OutputOrReports, path
from agtool.le_staging.cli.connecting import Connecting
from agtool.le_staging.cli.judging import Judging

if TYPE_CHECKING:
    from agtool.le_staging import documents
    from agtool.le_staging.verify.checker import Report
    from agtool.le_staging.verify.target import Target


def verify(  # noqa: PLR0917  # Typer's way: a parameter is an option
    judging: Judging,
    connecting: Connecting,
    hosts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="HOST[:PORT]...",
            help="Host names, addresses or URLs.",
            show_default=False,
        ),
    ] = None,
    from_file: Annotated[
        Path | None,
        path("FILE", "Also check the hosts in FILE, one on each line; - stands for stdin."),
    ] = None,
    pem: Annotated[
        Path | None,
        path("FOLDER", "Save the certificates that each host sends as a file in FOLDER."),
    ] = None,
    output: OutputOrReports = Format.table,
) -> Result[documents.HostsVerified | None]:
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

    lines = _lines(hosts or [], from_file, connecting.default_port)
    settings = {**connecting.settings(), **judging.settings(connecting.cacert)}
    from agtool.le_staging.cli import report
    from agtool.le_staging.verify.checker import Checker, failed_line, in_order
    from agtool.le_staging.verify.look import How

    how = How(**settings)
    targets = [target for target in lines.values() if not isinstance(target, UsageError)]
    with Progress("hosts checked", len(targets)) as progress:
        check = Checker(how).check
        checked = in_order(targets, check, timeout=how.timeout, progress=progress.advance)
        reports = [
            failed_line(text, found) if isinstance(found, UsageError) else next(checked)
            for text, found in lines.items()
        ]
    if pem:
        _save_chains(pem, reports)
    code = judging.exit_code((found.as_expected, found.warnings) for found in reports)
    if output in {Format.table, Format.text}:
        # Without the document, whose types take longer to make than a host to check.
        return Result(None, report.for_people(how.expected, reports), exit_code=code)
    from agtool.le_staging.cli.formats import case_of_host, formatted

    data = report.as_data(how.expected, reports)
    cases = map(case_of_host, data.hosts)
    return Result(data, formatted(output, cases, fail=judging.fail_on_warning), exit_code=code)


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
