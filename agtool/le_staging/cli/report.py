"""What `verify` found: data for programs; for people all of one host, or a line for each."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from agtool.core.duration import in_words
from agtool.core.finding import Finding
from agtool.core.text import count, printable, some
from agtool.le_staging.verify.judge import Judgement, Verdict

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from agtool.le_staging import documents
    from agtool.le_staging.certificate import Certificate
    from agtool.le_staging.verify.checker import Report
    from agtool.le_staging.verify.kept import Checked
    from agtool.le_staging.verify.look import Sight

_COLOURS = {
    Verdict.staging: "bold yellow",
    Verdict.production: "bold green",
    Verdict.other: "bold magenta",
    Verdict.failed: "bold red",
}


Piece = tuple[str, str]
"""A text, and its style; "" for none."""


def styled(*pieces: Piece) -> str | Text:
    """One line of what a server said and we did, without markup and control characters.

    Plain where nobody sees colours: rich takes longer to import than a host to check.
    """
    shown = [(printable(text, besides="\n"), style) for text, style in pieces]
    if not sys.stdout.isatty():
        return "".join(text for text, _ in shown).rstrip()
    from rich.text import Text

    line = Text.assemble(*shown)
    line.rstrip()
    return line


def as_data(
    expected: Verdict, reports: Sequence[Report], warnings: Sequence[Finding] = ()
) -> documents.HostsVerified:
    """For programs."""
    from agtool.le_staging import documents

    return documents.HostsVerified(
        expected.value, [_host(report, expected) for report in reports], list(warnings)
    )


def _host(report: Report, expected: Verdict) -> documents.Host:
    from agtool.le_staging import documents

    evidence, judgement = report.evidence, report.judgement
    anchor = judgement.anchor if judgement else None
    about = _about(report)
    return documents.Host(
        target=report.target.shown,
        host=report.target.host,
        port=report.target.port,
        verdict=report.verdict.value,
        as_expected=report.as_expected,
        issued_by=judgement.issued_by.value if anchor and judgement else None,
        problems=with_subject(report.problems, about),
        warnings=with_subject(report.warnings, about),
        notes=with_subject(report.notes, about),
        sights=[_sight(sight) for sight in report.sights],
        source=report.source or None,
        stored=chain_of(report.stored, expected) if report.stored else None,
        anchor=documents.Anchor(anchor.subject, anchor.sha256) if anchor else None,
        matched_name=judgement.matched if judgement else None,
        days_left=days_left(evidence.presented[0], report.now) if evidence else None,
        chain=[certificate_of(found) for found in judgement.path] if judgement else [],
        presented=[sent.sha256 for sent in evidence.presented] if evidence else [],
        address=(evidence.address or None) if evidence else None,
        tls=evidence.tls if evidence else None,
        cipher=evidence.cipher if evidence else None,
        seconds=round(report.seconds, 3),
    )


def _about(report: Report) -> str:
    """HOST:PORT, or what was given and is no host."""
    return str(report.target) if report.target.port else report.target.shown


def _sight(sight: Sight) -> documents.Sight:
    from agtool.le_staging import documents

    leaf = sight.evidence.presented[0] if sight.evidence else None
    return documents.Sight(
        address=sight.address,
        key=leaf.key if leaf else None,
        sha256=leaf.sha256 if leaf else None,
        not_after=leaf.not_after if leaf else None,
        verdict=sight.verdict.value,
        problems=[problem.code for problem in sight.problems],
    )


def chain_of(checked: Checked, expected: Verdict) -> documents.StoredChain:
    """A stored chain."""
    from agtool.le_staging import documents

    judgement = checked.sight.judgement if checked.sight else None
    chain, source = checked.stored.chain, checked.stored.source
    anchor = judgement.anchor if judgement else None
    return documents.StoredChain(
        source=source,
        verdict=checked.verdict.value,
        as_expected=checked.verdict is expected,
        issued_by=judgement.issued_by.value if anchor and judgement else None,
        problems=with_subject(checked.problems, source),
        warnings=with_subject(checked.warnings, source),
        anchor=documents.Anchor(anchor.subject, anchor.sha256) if anchor else None,
        matched_name=judgement.matched if judgement else None,
        days_left=days_left(chain[0], datetime.now(timezone.utc)) if chain else None,
        chain=[certificate_of(one) for one in judgement.path] if judgement else [],
        stored=[one.sha256 for one in chain],
        key_fits=checked.key,
    )


def with_subject(findings: Iterable[Finding], about: str) -> list[Finding]:
    """The findings, which say what they are about."""
    return [replace(finding, subject=about) for finding in findings]


def certificate_of(certificate: Certificate) -> documents.ChainCertificate:
    """A certificate of a path."""
    from dataclasses import fields

    from agtool.le_staging import documents

    shown = [field.name for field in fields(documents.ChainCertificate)]
    return documents.ChainCertificate(**{name: getattr(certificate, name) for name in shown})


def for_people(
    expected: Verdict, reports: Sequence[Report], warnings: Sequence[Finding] = ()
) -> Iterator[RenderableType]:
    """One host in full; of many hosts a line each, and what is wrong."""
    yield from findings((), warnings)
    if len(reports) == 1 and not reports[0].source:
        yield from _full(reports[0])
        return
    width = max(len(printable(report.target.shown)) for report in reports)
    for report in reports:
        rest = ""
        if report.evidence and report.judgement:
            anchor = report.judgement.anchor
            rest = f"  {_lifetime(report.evidence.presented[0], report.now):>9}"
            rest += f"  {anchor.subject}" if anchor else ""
        yield styled(
            (f"{printable(report.target.shown):<{width}}  ", ""),
            (f"{report.verdict.value:<10}", _COLOURS[report.verdict]),
            *_of_objects(report),
            (rest, ""),
        )
        yield from findings(report.problems, report.warnings)
    if several := sum(_several(report) for report in reports):
        yield (
            f"{count(several, 'host')} with several addresses, of which one was checked: "
            "--all-addresses checks each"
        )
    if failed := sum(not report.as_expected for report in reports):
        yield (f"{failed:,} of {count(len(reports), 'host')} did not verify as {expected.name}")


def _of_objects(report: Report) -> list[Piece]:
    """What its Secret has, and which object serves it."""
    if not report.source:
        return []
    stored = report.stored.verdict if report.stored else None
    secret = (f"{stored.value if stored else '?':<10}", _COLOURS[stored] if stored else "dim")
    return [("  stored ", "dim"), secret, (f"  {report.source}", "dim")]


def _full(report: Report) -> Iterator[RenderableType]:
    yield headline(_about(report), report.verdict)
    yield from findings(report.problems, report.warnings)
    for note in report.notes:
        yield printable(f"  {note.message}. {note.hint}".rstrip())
    yield from map(_line_of, report.sights)
    evidence, judgement = report.evidence, report.judgement
    if not (evidence and judgement):
        return
    yield from tree(judgement)
    yield from facts(judgement, evidence.presented[0], report.now)
    tls = (evidence.tls, evidence.cipher, evidence.address or "through a proxy")
    yield printable(f"TLS        {', '.join(tls)}")


def headline(about: str, verdict: Verdict) -> RenderableType:
    """What was checked, and the verdict."""
    return styled((f"{about}  ", ""), (verdict.value, _COLOURS[verdict]))


def tree(judgement: Judgement) -> Iterator[RenderableType]:
    """The path, its anchor on top."""
    *below, top = judgement.path
    kind = "(anchor)" if judgement.anchor else "(not trusted)"
    yield styled((f"{top.subject}  ", ""), (kind, "dim"))
    for depth, certificate in enumerate(reversed(below)):
        yield styled((f"{'    ' * depth}└── {certificate.subject}", ""))


def facts(
    judgement: Judgement, leaf: Certificate, now: datetime, *, asked: bool = True
) -> Iterator[str]:
    """What the certificate says, a line for each fact; asked: whether it was for a name."""
    top = judgement.path[-1]
    names = leaf.names or [f"{name} (common name)" for name in leaf.common_names]
    told = {
        "anchor" if judgement.anchor else "no anchor": f"{top.subject}, SHA-256 {top.sha256}",
        "names": some(names, 30) or "none",
        **({"matches": judgement.matched or "none of them"} if asked else {}),
        "valid": f"{leaf.not_before:%Y-%m-%d %H:%M} to {leaf.not_after:%Y-%m-%d %H:%M} UTC, "
        + _lifetime(leaf, now),
        "key": f"{leaf.key}, signed with {leaf.signature}",
    }
    for name, value in told.items():
        yield printable(f"{name:<11}{value}")


def _several(report: Report) -> bool:
    return any(note.code == "several-addresses" for note in report.notes)


def _line_of(sight: Sight) -> RenderableType:
    leaf = sight.evidence.presented[0] if sight.evidence else None
    return styled(
        (f"  {sight.address:<16} {leaf.key if leaf else '':<12} ", ""),
        (sight.verdict.value, _COLOURS[sight.verdict]),
        ("  " + ", ".join(problem.code for problem in sight.problems), ""),
    )


def days_left(leaf: Certificate, now: datetime) -> int:
    """Whole days; 0 on the last and on the first one after it."""
    return int((leaf.not_after - now) / timedelta(days=1))


def _lifetime(leaf: Certificate, now: datetime) -> str:
    left = (leaf.not_after - now).total_seconds()
    return "expired" if left < 0 else f"{in_words(left)} left"


def findings(problems: Iterable[Finding], warnings: Iterable[Finding]) -> Iterator[RenderableType]:
    """What is wrong, and what to do."""
    for style, found in (("red", problems), ("yellow", warnings)):
        for finding in found:
            hint = f"\n    {finding.hint}" if finding.hint else ""
            yield styled(
                ("  ", ""), (finding.code, style), (f": {finding.message}", ""), (hint, "dim")
            )
