"""What `verify` found: data for programs; for people all of one host, or a line for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from agtool.core.text import count, printable
from agtool.le_staging import documents
from agtool.le_staging.verify.judge import Verdict

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from agtool.le_staging.certificate import Certificate
    from agtool.le_staging.verify.checker import Report
    from agtool.le_staging.verify.look import Sight

_COLOURS = {
    Verdict.staging: "bold yellow",
    Verdict.production: "bold green",
    Verdict.other: "bold magenta",
    Verdict.failed: "bold red",
}


def as_data(expected: Verdict, reports: Sequence[Report]) -> documents.HostsVerified:
    """For programs."""
    return documents.HostsVerified(expected.value, [_host(report) for report in reports])


def _host(report: Report) -> documents.Host:
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
        problems=[replace(problem, subject=about) for problem in report.problems],
        warnings=[replace(warning, subject=about) for warning in report.warnings],
        notes=[replace(note, subject=about) for note in report.notes],
        sights=[_sight(sight) for sight in report.sights],
        anchor=documents.Anchor(anchor.subject, anchor.sha256) if anchor else None,
        matched_name=judgement.matched if judgement else None,
        days_left=_days_left(report, evidence.presented[0]) if evidence else None,
        chain=[_certificate(found) for found in judgement.path] if judgement else [],
        presented=[sent.sha256 for sent in evidence.presented] if evidence else [],
        address=evidence.address if evidence else None,
        tls=evidence.tls if evidence else None,
        cipher=evidence.cipher if evidence else None,
        seconds=round(report.seconds, 3),
    )


def _about(report: Report) -> str:
    """HOST:PORT, or what was given and is no host."""
    return str(report.target) if report.target.port else report.target.shown


def _sight(sight: Sight) -> documents.Sight:
    leaf = sight.evidence.presented[0] if sight.evidence else None
    return documents.Sight(
        address=sight.address,
        key=leaf.key if leaf else None,
        sha256=leaf.sha256 if leaf else None,
        not_after=leaf.not_after if leaf else None,
        verdict=sight.verdict.value,
        problems=[problem.code for problem in sight.problems],
    )


def _certificate(certificate: Certificate) -> documents.ChainCertificate:
    shown = [field.name for field in fields(documents.ChainCertificate)]
    return documents.ChainCertificate(**{name: getattr(certificate, name) for name in shown})


def for_people(expected: Verdict, reports: Sequence[Report]) -> Iterator[RenderableType]:
    """One host in full; of many hosts a line each, and what is wrong."""
    if len(reports) == 1:
        yield from _full(reports[0])
        return
    width = max(len(printable(report.target.shown)) for report in reports)
    for report in reports:
        line = _text(f"{printable(report.target.shown):<{width}}  ")
        line.append(f"{report.verdict.value:<10}", style=_COLOURS[report.verdict])
        if report.evidence and report.judgement:
            anchor = report.judgement.anchor
            line.append(f"  {_lifetime(report, report.evidence.presented[0]):>14}")
            line.append(printable(f"  {anchor.subject}" if anchor else ""))
        line.rstrip()
        yield line
        yield from _findings(report)
    if several := sum(_several(report) for report in reports):
        yield (
            f"{count(several, 'host')} with several addresses, of which one was checked: "
            "--all-addresses checks each"
        )
    if failed := sum(not report.as_expected for report in reports):
        yield (f"{failed:,} of {count(len(reports), 'host')} did not verify as {expected.name}")


def _full(report: Report) -> Iterator[RenderableType]:
    from rich.tree import Tree

    head = _text(f"{_about(report)}  ")
    head.append(report.verdict.value, style=_COLOURS[report.verdict])
    yield head
    yield from _findings(report)
    for note in report.notes:
        yield printable(f"  {note.message}. {note.hint}".rstrip())
    yield from map(_line_of, report.sights)
    evidence, judgement = report.evidence, report.judgement
    if not (evidence and judgement):
        return
    *below, top = judgement.path
    root = _text(f"{top.subject}  ")
    root.append("(anchor)" if judgement.anchor else "(not trusted)", style="dim")
    tree = branch = Tree(root)
    for certificate in reversed(below):
        branch = branch.add(_text(certificate.subject))
    yield tree
    leaf = evidence.presented[0]
    names = leaf.names or [f"{name} (common name)" for name in leaf.common_names]
    facts = {
        "anchor" if judgement.anchor else "no anchor": f"{top.subject}, SHA-256 {top.sha256}",
        "names": ", ".join(names) or "none",
        "matches": judgement.matched or "none of them",
        "valid": f"{leaf.not_before:%Y-%m-%d %H:%M} to {leaf.not_after:%Y-%m-%d %H:%M} UTC, "
        + _lifetime(report, leaf),
        "key": f"{leaf.key}, signed with {leaf.signature}",
        "TLS": f"{evidence.tls}, {evidence.cipher}, {evidence.address}",
    }
    for name, value in facts.items():
        yield printable(f"{name:<11}{value}")


def _several(report: Report) -> bool:
    return any(note.code == "several-addresses" for note in report.notes)


def _line_of(sight: Sight) -> Text:
    leaf = sight.evidence.presented[0] if sight.evidence else None
    line = _text(f"  {sight.address:<16} {leaf.key if leaf else '':<12} ")
    line.append(sight.verdict.value, style=_COLOURS[sight.verdict])
    line.append(printable("  " + ", ".join(problem.code for problem in sight.problems)))
    line.rstrip()
    return line


def _days_left(report: Report, leaf: Certificate) -> int:
    """Whole days; 0 on the last and on the first one after it."""
    return int((leaf.not_after - report.now) / timedelta(days=1))


def _lifetime(report: Report, leaf: Certificate) -> str:
    expired = leaf.not_after < report.now
    return "expired" if expired else f"{count(_days_left(report, leaf), 'day')} left"


def _findings(report: Report) -> Iterator[Text]:
    for style, found in (("red", report.problems), ("yellow", report.warnings)):
        for finding in found:
            text = _text("  ").append(finding.code, style=style)
            text.append(printable(f": {finding.message}"))
            if finding.hint:
                text.append(printable(f"\n    {finding.hint}", besides="\n"), style="dim")
            yield text


def _text(text: str) -> Text:
    """What a server said, without markup and control characters."""
    from rich.text import Text

    return Text(printable(text))
