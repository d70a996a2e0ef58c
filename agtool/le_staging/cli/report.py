"""What `verify` found: a tree for one host, a line for each of many, data for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from agtool.le_staging.verify.judge import Problem, Verdict

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from agtool.le_staging.certificate import Certificate
    from agtool.le_staging.verify.checker import Report

_COLOURS = {
    Verdict.staging: "bold yellow",
    Verdict.production: "bold green",
    Verdict.other: "bold magenta",
    Verdict.failed: "bold red",
}


def as_data(report: Report) -> dict[str, Any]:
    """For programs: times in ISO 8601 (UTC), fingerprints in lower-case hexadecimal."""
    seen, judgement = report.seen, report.judgement
    anchor = judgement.anchor if judgement else None
    leaf = seen.presented[0] if seen else None
    return {
        "target": report.target.shown,
        "host": report.target.host,
        "port": report.target.port,
        "verdict": report.verdict.value,
        "as_expected": report.fine,
        "issued_by": judgement.issued_by.value if anchor and judgement else None,
        "problems": [problem._asdict() for problem in report.problems],
        "warnings": [problem._asdict() for problem in report.warnings],
        "anchor": {"name": anchor.subject, "sha256": anchor.sha256} if anchor else None,
        "matched_name": judgement.matched if judgement else None,
        "days_left": _days_left(report, leaf) if leaf else None,
        "chain": [_certificate(certificate) for certificate in judgement.path] if judgement else [],
        "presented": [c.sha256 for c in seen.presented] if seen else [],
        "address": seen.address if seen else None,
        "tls": seen.tls if seen else None,
        "cipher": seen.cipher if seen else None,
        "seconds": round(report.seconds, 3),
    }


def _certificate(certificate: Certificate) -> dict[str, Any]:
    return {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "names": [*certificate.dns_names, *certificate.addresses],
        "not_before": certificate.not_before.isoformat(),
        "not_after": certificate.not_after.isoformat(),
        "key": certificate.key,
        "signature": certificate.signature,
        "sha256": certificate.sha256,
    }


def for_people(reports: Sequence[Report]) -> Iterator[RenderableType]:
    """One host in full; of many hosts a line each, and what is wrong."""
    if len(reports) == 1:
        yield from _full(reports[0])
        return
    width = max(len(_cell(report.target.shown)) for report in reports)
    for report in reports:
        line = _cell(f"{report.target.shown:<{width}}  ")
        line.append(f"{report.verdict.value:<10}", style=_COLOURS[report.verdict])
        if report.seen and report.judgement:
            leaf = report.seen.presented[0]
            days = _days_left(report, leaf)
            anchor = report.judgement.anchor
            line.append(f"  {days:>4} days left")
            line.append_text(_cell(f"  {anchor.subject}" if anchor else ""))
        line.rstrip()
        yield line
        yield from _problems(report)


def _full(report: Report) -> Iterator[RenderableType]:
    from rich.tree import Tree

    head = _cell(f"{report.target}  ")
    head.append(report.verdict.value, style=_COLOURS[report.verdict])
    yield head
    yield from _problems(report)
    seen, judgement = report.seen, report.judgement
    if not (seen and judgement):
        return
    *below, top = judgement.path
    root = _cell(f"{top.subject}  ")
    root.append("(anchor)" if judgement.anchor else "(not trusted)", style="dim")
    tree = branch = Tree(root)
    for certificate in reversed(below):
        branch = branch.add(_cell(certificate.subject))
    yield tree
    leaf = seen.presented[0]
    yield _fact(
        "anchor" if judgement.anchor else "no anchor", f"{top.subject}, SHA-256 {top.sha256}"
    )
    names = [*leaf.dns_names, *leaf.addresses] or [f"{n} (common name)" for n in leaf.common_names]
    yield _fact("names", ", ".join(names) or "none")
    yield _fact("matches", judgement.matched or "none of them")
    days = _days_left(report, leaf)
    yield _fact(
        "valid",
        f"{leaf.not_before:%Y-%m-%d %H:%M} to {leaf.not_after:%Y-%m-%d %H:%M} UTC, "
        + (f"{days} days left" if leaf.not_after >= report.now else "which is over"),
    )
    yield _fact("key", f"{leaf.key}, signed with {leaf.signature}")
    yield _fact("TLS", f"{seen.tls}, {seen.cipher}, {seen.address}")


def _days_left(report: Report, leaf: Certificate) -> int:
    """Whole days; 0 on the last and on the first one after it."""
    return int((leaf.not_after - report.now) / timedelta(days=1))


def _fact(what: str, value: str) -> Text:
    return _cell(f"{what:<11}{value}")


def _problems(report: Report) -> Iterator[Text]:
    for style, found in (("red", report.problems), ("yellow", report.warnings)):
        for problem in found:
            yield _problem(problem, style)


def _problem(problem: Problem, style: str) -> Text:
    text = _cell("  ")
    text.append(problem.kind, style=style)
    text.append_text(_cell(f": {problem.text}"))
    if problem.hint:
        text.append_text(_cell("\n    "))
        text.append(str(_cell(problem.hint)), style="dim")
    return text


def _cell(text: str) -> Text:
    """What a server said, as it is: no markup, no control characters."""
    from rich.text import Text

    shown = (c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return Text("".join(shown))
