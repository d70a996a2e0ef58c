"""`agtool le-staging verify`: whether hosts have good staging certificates."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agtool.core.command import Format, Result, refuse_beside_print_rbac
from agtool.core.errors import UsageError
from agtool.core.options import ClusterOptions, OutputOrReports, grouped, path
from agtool.le_staging.cli.connecting import Connecting
from agtool.le_staging.cli.judging import Judging
from agtool.le_staging.cli.sources import Sources

if TYPE_CHECKING:
    from agtool.le_staging import documents
    from agtool.le_staging.verify.checker import Report


@grouped
def verify(  # noqa: PLR0917  # Typer's way: a parameter is an option
    judging: Judging,
    connecting: Connecting,
    sources: Sources,
    cluster: ClusterOptions,
    hosts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="HOST[:PORT]...",
            help="Host names, addresses or URLs.",
            show_default=False,
        ),
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
      agtool le-staging verify --from-cluster -A --expect production
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    from agtool.core.live import Progress

    if sources.print_rbac:
        refuse_beside_print_rbac(output)
        return Result(None, [sources.rbac()])
    port = connecting.default_port
    jobs = sources.jobs(hosts or [], port, cluster)
    settings = {**connecting.settings(), **judging.settings(connecting.cacert)}
    settings["overrides"] += jobs.overrides
    from agtool.le_staging.cli import report
    from agtool.le_staging.verify.checker import Checker, failed_line, in_order
    from agtool.le_staging.verify.look import How

    how = How(**settings)
    checker = Checker(how)
    told = jobs.told(checker, how.expected)
    targets = [] if sources.offline else [t for t in jobs.targets if not isinstance(t, UsageError)]
    with Progress("hosts checked", len(targets)) as progress:
        checked = in_order(targets, checker.check, timeout=how.timeout, progress=progress.advance)
        reports = [
            failed_line(text, found)
            if isinstance(found, UsageError)
            else told(number, None if sources.offline else next(checked))
            for number, (text, found) in enumerate(jobs.lines)
        ]
    if pem:
        _save_chains(pem, reports)
    code = judging.exit_code((found.as_expected, found.warnings) for found in reports)
    if output in {Format.table, Format.text}:
        # Without the document, whose types take longer to make than a host to check.
        view = report.for_people(how.expected, reports, jobs.warnings)
        return Result(None, view, exit_code=code)
    from agtool.le_staging.cli.formats import case_of_host, formatted

    data = report.as_data(how.expected, reports, jobs.warnings)
    cases = map(case_of_host, data.hosts)
    return Result(data, formatted(output, cases, fail=judging.fail_on_warning), exit_code=code)


def _save_chains(folder: Path, reports: Iterable[Report]) -> None:
    from ssl import DER_cert_to_PEM_cert

    from agtool.le_staging.writing import write

    for report in reports:
        if report.evidence:
            file = folder / f"{report.target.host}_{report.target.port}.pem"
            chain = "".join(DER_cert_to_PEM_cert(sent.der) for sent in report.evidence.presented)
            hint = "Name a folder with --pem that you can write to."
            write(file, chain, mode=0o644, hint=hint)
