"""Results of changes, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from agtool.ci_nodepool.affected import FATES, Affected

if TYPE_CHECKING:
    from agtool.ci_nodepool.plan import Change
    from agtool.ci_nodepool.run import Result
    from agtool.ci_nodepool.write import Report

_NAMES = 10
"""How many names a line holds; JSON has all."""


def count(number: int, noun: str) -> str:
    """Such as `5,000 nodes`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def names(of: Sequence[str]) -> str:
    """The names, or the first of them and how many more there are."""
    shown = ", ".join(of[:_NAMES])
    return shown if len(of) <= _NAMES else f"{shown} and {len(of) - _NAMES:,} more"


def diff_text(changes: Iterable[Change]) -> str:
    """What would change, nodes with the same change together."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for change in changes:
        kept = tuple(f"  keeps {text}" for text in change.kept)
        lines = tuple(f"  {line}" for line in change.lines)
        groups.setdefault((lines or ("  forget what agtool did",)) + kept, []).append(
            change.node.name
        )
    return "\n".join(
        "\n".join((f"{count(len(of), 'node')}: {names(of)}", *lines))
        for lines, of in groups.items()
    )


def affected_text(affected: Sequence[Affected]) -> str:
    """Who is affected, by what becomes of them."""
    lines = []
    for fate, meaning in FATES.items():
        of = [a for a in affected if a.fate == fate]
        if of:
            lines.append(f"{count(len(of), of[0].kind)}: {meaning}")
            lines.append("  " + names([f"{a.namespace}/{a.name}" for a in of]))
    return "\n".join(lines)


def result_text(result: Result, verb: str) -> str:
    """The end of a command, for people."""
    if result.declined:
        return "No node was changed."
    report = result.report
    as_wanted = result.nodes - len(result.changes)
    lines: list[str] = []
    if report is not None:
        lines += _report_lines(result, report, verb)
        as_wanted += len(report.unchanged)
    elif result.changes:
        lines += [diff_text(result.changes), *_affected_lines(result.affected)]
        lines += [f"{count(len(result.changes), 'node')} would be changed. Nothing was changed."]
    if as_wanted or not lines:
        lines += [
            f"{verb}: {count(as_wanted, 'node')} as wanted already"
            if result.nodes
            else f"{verb}: nothing to do"
        ]
    return "\n".join(lines)


def _report_lines(result: Result, report: Report, verb: str) -> Iterator[str]:
    yield f"{verb}: {count(len(report.changed), 'node')} changed"
    for kept in dict.fromkeys(line for change in result.changes for line in change.kept):
        yield f"  kept {kept}"
    for what, of in (
        ("deleted or replaced meanwhile", report.gone),
        ("failed", list(report.failed)),
        ("not started", report.not_started),
    ):
        if of:
            yield f"  {what}: {count(len(of), 'node')}: {names(of)}"
    if report.interrupted:
        yield "Interrupted. The same command does what is left to do."
    if result.slipped:
        yield "Came onto the nodes before the taint did:"
        yield from _affected_lines(result.slipped)


def _affected_lines(affected: Sequence[Affected]) -> list[str]:
    return [affected_text(affected)] if affected else []


def result_data(results: Sequence[Result]) -> dict[str, Any]:
    """One step or more, for programs."""
    reports = [result.report for result in results if result.report]
    changes = [change for result in results for change in result.changes]
    pool = results[-1].pool
    return {
        "pool": {
            "nodes": list(pool.names),
            "selector": pool.selector,
            "preset": pool.preset.name if pool.preset else None,
        },
        "dry_run": any(result.dry_run for result in results),
        "planned": [
            {"node": c.node.name, "changes": list(c.lines), "kept": list(c.kept)} for c in changes
        ],
        "as_wanted": min(result.nodes - len(result.changes) for result in results),
        "changed": sorted({name for report in reports for name in report.changed}),
        "unchanged": sorted({name for report in reports for name in report.unchanged}),
        "gone": sorted({name for report in reports for name in report.gone}),
        "failed": {n: e.message for report in reports for n, e in report.failed.items()},
        "not_started": sorted({name for report in reports for name in report.not_started}),
        "affected": [a._asdict() for result in results for a in result.affected],
        "slipped": [a._asdict() for result in results for a in result.slipped],
    }
