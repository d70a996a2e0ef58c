"""Changes of nodes, as a document and for people. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from agtool.ci_nodepool import documents
from agtool.ci_nodepool.nodes import NodesChange
from agtool.ci_nodepool.pool.fates import FATES, Affected
from agtool.ci_nodepool.pool.plan import Change
from agtool.ci_nodepool.pool.write import Report
from agtool.core.finding import Finding
from agtool.core.text import count, some


def diff_lines(changes: Iterable[Change]) -> Iterator[str]:
    """What would change, nodes with the same change together."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for change in changes:
        lines = change.lines or ("forget what agtool changed",)
        kept = (f"keep {text}" for text in change.kept)
        groups.setdefault((*lines, *kept), []).append(change.node.name)
    for lines, names in groups.items():
        yield f"{count(len(names), 'node')}: {some(names)}"
        yield from (f"  {line}" for line in lines)


def affected_lines(affected: Sequence[Affected]) -> Iterator[str]:
    """Who is affected, by what becomes of them."""
    for fate, meaning in FATES.items():
        found = [each for each in affected if each.fate == fate]
        if found:
            kind = "pod" if found[0].kind == "Pod" else found[0].kind
            yield f"{count(len(found), kind)}: {meaning}"
            yield "  " + some(list(map(str, found)))


def warning_lines(warnings: Iterable[Finding]) -> Iterator[str]:
    """Each with what to do about it."""
    for warning in warnings:
        yield f"warning: {warning.message}"
        yield from (f"  {line}" for line in warning.hint.splitlines())


def view(change: NodesChange, command: str) -> Iterator[str]:
    """What became of the nodes, for people."""
    as_wanted = change.nodes - len(change.changes)
    if change.report:
        as_wanted += len(change.report.unchanged)
        yield from _report_lines(change, change.report, command)
    elif change.changes:
        yield from diff_lines(change.changes)
        yield from affected_lines(change.affected)
        yield from warning_lines(change.warnings)
        yield f"{count(len(change.changes), 'node')} would be changed. Nothing was changed."
    if as_wanted:
        yield f"{command}: {count(as_wanted, 'node')} already as wanted"
    elif not change.changes:
        yield f"{command}: nothing to do"


def _report_lines(change: NodesChange, report: Report, command: str) -> Iterator[str]:
    yield f"{command}: {count(len(report.changed), 'node')} changed"
    for kept in dict.fromkeys(text for each in change.changes for text in each.kept):
        yield f"  kept {kept}"
    for state, names in (
        ("deleted or replaced meanwhile", report.gone),
        ("failed", list(report.failed)),
        ("not started", report.not_started),
    ):
        if names:
            yield f"  {state}: {count(len(names), 'node')}: {some(names)}"
    if report.interrupted:
        yield "Interrupted. Run the same command again to do what is left to do."
    if change.slipped:
        yield "These came onto the nodes before the taint did:"
        yield from affected_lines(change.slipped)


def document(changes: Sequence[NodesChange], *, dry_run: bool) -> documents.NodesChanged:
    """One step or more, for programs."""
    pool = changes[-1].pool
    reports = [change.report for change in changes if change.report]

    def names(field: str) -> list[str]:
        return sorted({name for report in reports for name in getattr(report, field)})

    return documents.NodesChanged(
        pool=documents.Pool(
            list(pool.names), pool.selector, pool.preset.name if pool.preset else None
        ),
        dry_run=dry_run,
        planned=[
            documents.PlannedNode(each.node.name, list(each.lines), list(each.kept))
            for change in changes
            for each in change.changes
        ],
        as_wanted=min(change.nodes - len(change.changes) for change in changes),
        changed=names("changed"),
        unchanged=names("unchanged"),
        gone=names("gone"),
        failed=[
            Finding(error.code, error.message, error.hint, f"node {name}")
            for report in reports
            for name, error in report.failed.items()
        ],
        not_started=names("not_started"),
        affected=[each for change in changes for each in change.affected],
        slipped=[each for change in changes for each in change.slipped],
        warnings=list(dict.fromkeys(each for change in changes for each in change.warnings)),
    )
