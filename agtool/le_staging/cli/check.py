"""`agtool le-staging check`: whether stored certificates are good, before they are served."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agtool.core.command import Format, Result
from agtool.core.errors import ConfigurationError
from agtool.core.options import OutputOrReports, grouped, option, path
from agtool.le_staging.cli.connecting import CaCert
from agtool.le_staging.cli.judging import Judging

if TYPE_CHECKING:
    from rich.console import RenderableType

    from agtool.le_staging import documents
    from agtool.le_staging.verify.judge import Verdict
    from agtool.le_staging.verify.kept import Checked


@grouped
def check(  # noqa: PLR0917  # Typer's way: a parameter is an option
    judging: Judging,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="PEM, DER, PKCS 12, or Secrets in YAML or JSON; - stands for stdin.",
            show_default=False,
        ),
    ],
    name: Annotated[
        list[str] | None,
        option("HOST", "Check that the certificate is for this host. Can be repeated."),
    ] = None,
    cacert: CaCert = None,
    password_file: Annotated[
        Path | None, path("FILE", "The password of a PKCS 12 file or of a key is in this file.")
    ] = None,
    output: OutputOrReports = Format.table,
) -> Result[documents.StoredChecked]:
    """Verify certificates that are stored, as if they were served.

    The verdict is that of `verify`: the same client looks at the chain. A private key,
    in the same file or in another one, must belong to the first certificate.

    \b
    Examples:
      agtool le-staging check fullchain.pem privkey.pem --name example.com
      kubectl get secret shop-tls -o yaml | agtool le-staging check - --name example.com
      agtool le-staging check --expect production --warn-left 33% /etc/letsencrypt/live/*/fullchain.pem
    """  # noqa: D301, E501  # the backslash keeps the examples' lines apart
    from agtool.le_staging.verify.target import parse

    names = [parse(one, 443) for one in name or []]
    password = _password(password_file)
    contents = [(file, _content(file)) for file in files]
    settings = judging.settings(cacert)
    from agtool.le_staging.cli.formats import case_of_file, formatted
    from agtool.le_staging.cli.report import chain_of
    from agtool.le_staging.documents import StoredChecked
    from agtool.le_staging.stored.check import check as judge
    from agtool.le_staging.stored.check import with_keys
    from agtool.le_staging.stored.read import stored
    from agtool.le_staging.verify.look import How, Looker

    looker, expected = Looker(How(**settings)), settings["expected"]
    found = with_keys(one for file, text in contents for one in stored(file, text, password))
    checked = [judge(one, names, looker) for one in found]
    data = StoredChecked(expected.value, [chain_of(one, expected) for one in checked])
    view = formatted(output, map(case_of_file, data.chains), fail=judging.fail_on_warning)
    return Result(
        data,
        view or _for_people(expected, checked, data.chains, asked=bool(names)),
        exit_code=judging.exit_code((one.as_expected, one.warnings) for one in data.chains),
    )


def _content(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {file}: {error.strerror}", hint="Name files with certificates."
        ) from error


def _password(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text (UTF-8)"
        raise ConfigurationError(
            f"cannot read {file}: {reason}", hint="Correct --password-file."
        ) from error


def _for_people(
    expected: Verdict,
    checked: Sequence[Checked],
    chains: Sequence[documents.StoredChain],
    *,
    asked: bool,
) -> Iterator[RenderableType]:
    from agtool.core.text import count
    from agtool.le_staging.cli import report

    now = datetime.now(timezone.utc)
    for one in checked:
        yield report.headline(one.stored.source, one.verdict)
        yield from report.findings(one.problems, one.warnings)
        judgement = one.sight.judgement if one.sight else None
        if judgement:
            yield from report.tree(judgement)
            yield from report.facts(judgement, one.stored.chain[0], now, asked=asked)
        if one.key is not None:
            yield "key        " + (
                "the private key belongs to it" if one.key else "the private key is another one's"
            )
    if len(chains) > 1 and (failed := sum(not one.as_expected for one in chains)):
        yield f"{failed:,} of {count(len(chains), 'chain')} did not verify as {expected.name}"
