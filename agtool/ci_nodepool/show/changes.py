"""Changes of nodes and runners, as documents and for people. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from agtool.ci_nodepool import documents
from agtool.ci_nodepool.apply import Applied
from agtool.ci_nodepool.emit.helm import helm_values
from agtool.ci_nodepool.jobs import RunnerChange
from agtool.ci_nodepool.nodes import NodesChange
from agtool.ci_nodepool.pool.fates import FATES, Affected
from agtool.ci_nodepool.pool.plan import Change
from agtool.ci_nodepool.pool.write import Report
from agtool.ci_nodepool.runner.diff import diff
from agtool.ci_nodepool.runner.plan import RunnerPlan
from agtool.ci_nodepool.undo import Undone
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


def nodes_view(change: NodesChange, command: str) -> Iterator[str]:
    """What became of the nodes, for people."""
    as_wanted = change.nodes - len(change.changes)
    if change.report:
        as_wanted += len(change.report.unchanged)
        yield from _report_lines(change, change.report, command)
    elif change.changes:
        yield from diff_lines(change.changes)
        yield from affected_lines(change.affected)
        yield from warning_lines(change.warnings)
        nodes = count(len(change.changes), "node")
        yield f"{command}: {nodes} would be changed. Nothing was changed."
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


def nodes_document(changes: Sequence[NodesChange], *, dry_run: bool) -> documents.NodesChanged:
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


def diff_of(change: RunnerChange) -> str:
    """What changes in the template of a runner, without secrets; empty: nothing."""
    return diff(change.plan.before, change.plan.after, str(change.plan.runner))


def runners_view(changes: Sequence[RunnerChange], *, dry_run: bool) -> Iterator[str]:
    """What became of runners whose jobs are sent to a pool, and what makes that last."""
    for change in changes:
        yield from _jobs_lines(change, dry_run=dry_run)
    lasting: dict[str, list[str]] = {}
    for change in changes:
        if change.outcome or dry_run:
            values = helm_values(change.wanted, change.plan.runner.chart).rstrip()
            lasting.setdefault(values, []).append(str(change.plan.runner))
    for values, names in lasting.items():
        of = f" of {some(names)}" if len(changes) > 1 else ""
        yield (
            f"\nHelm and GitOps undo the change{of} at their next run. To keep it, use these "
            f"values:\n\n{values}"
        )


def _jobs_lines(change: RunnerChange, *, dry_run: bool) -> Iterator[str]:
    yield from runner_view(change, dry_run=dry_run)
    if not dry_run and (change.outcome or not change):
        wanted = change.wanted
        verb, labels = "go to", wanted.node_selector
        if wanted.preferred:
            verb, labels = "go rather to", wanted.preferred
        nodes = ", ".join(f"{key}={value}" for key, value in labels.items())
        where = f"{verb} nodes with {nodes}, and " if nodes else ""
        taints = ", ".join(f"{name}:{eff}" for name, eff in wanted.node_tolerations.items())
        yield f"  its jobs {where}tolerate {taints}"
    if not change.outcome:  # otherwise they were shown before the question
        yield from warning_lines(change.warnings)


def runner_view(change: RunnerChange, *, dry_run: bool) -> Iterator[str]:
    """What became of a runner."""
    plan, outcome = change.plan, change.outcome
    if dry_run and change:
        if text := diff_of(change):
            yield text
        deeds = _deeds(plan, "restarted" * change.restart)
        yield f"{plan.runner} would be {deeds}. Nothing was changed."
    elif outcome is None:
        yield f"{plan.runner} {'was not changed' if change else 'is already as wanted'}"
    elif outcome.stopped and not outcome.restarted:
        yield f"{plan.runner} is {_deeds(outcome.plan, 'restarting')}"
    else:
        yield f"{plan.runner} is {_deeds(outcome.plan, 'restarted' * outcome.restarted)}"
        for pod in outcome.finishing:
            yield f"  the old {pod} runs until its jobs have ended"
    yield from (f"  kept {kept}" for kept in plan.kept)


def _deeds(plan: RunnerPlan, restarted: str) -> str:
    return " and ".join(filter(None, ["changed" if plan else "", restarted]))


def runner_document(change: RunnerChange, *, dry_run: bool) -> documents.RunnerChanged:
    """The same for programs."""
    plan, outcome = change.plan, change.outcome
    return documents.RunnerChanged(
        runner=str(plan.runner),
        config_map=plan.runner.config_map["metadata"]["name"],
        key=plan.runner.key,
        dry_run=dry_run,
        changed=bool(outcome and outcome.plan),
        restarted=bool(outcome and outcome.restarted),
        finishing=list(outcome.finishing) if outcome else [],
        entries=plan.added,
        kept=list(plan.kept),
        diff=diff_of(change),
        warnings=list(change.warnings),
    )


def jobs_document(change: RunnerChange, *, dry_run: bool) -> documents.JobsSent:
    """The same for programs, with what makes it last."""
    return documents.JobsSent(
        **vars(runner_document(change, dry_run=dry_run)),
        wanted=change.wanted,
        helm_values=helm_values(change.wanted, change.plan.runner.chart),
    )


def runners_document(changes: Sequence[RunnerChange], *, dry_run: bool) -> documents.RunnersSent:
    """Several runners, for programs."""
    each = [jobs_document(change, dry_run=dry_run) for change in changes]
    return documents.RunnersSent(**vars(each[0]), runners=each)


def applied_document(applied: Applied, *, dry_run: bool) -> documents.Applied:
    """For programs."""
    changed = nodes_document([applied.nodes], dry_run=dry_run)
    each = [jobs_document(change, dry_run=dry_run) for change in applied.runners]
    return documents.Applied(**vars(changed), runner=each[0], runners=each)


def undone_document(undone: Undone, *, dry_run: bool) -> documents.Undone:
    """For programs."""
    changed = nodes_document(undone.nodes, dry_run=dry_run)
    changed.warnings[:0] = undone.warnings
    restored = [runner_document(each, dry_run=dry_run) for each in undone.runners]
    return documents.Undone(**vars(changed), runners=restored)


def applied_view(applied: Applied, *, dry_run: bool) -> Iterator[str]:
    """The runners, then the nodes."""
    yield from runners_view(applied.runners, dry_run=dry_run)
    if not applied.stopped:
        yield from nodes_view(applied.nodes, "apply")


def undone_view(undone: Undone, *, dry_run: bool) -> Iterator[str]:
    """The nodes, then the runners."""
    yield from warning_lines(undone.warnings)
    for kind, step in zip(("taints", "labels"), undone.nodes, strict=False):
        if step.changes:
            yield from nodes_view(step, "undo" if step.pool.names else f"undo of {kind}")
    for change in undone.runners:
        yield from runner_view(change, dry_run=dry_run)
    if not (undone or undone.stopped):
        yield "undo: nothing to do"
