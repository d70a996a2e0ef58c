"""Changes of runners, as a document and for people. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agtool.ci_nodepool import documents
from agtool.ci_nodepool.emit.helm import helm_values
from agtool.ci_nodepool.jobs import RunnerChange
from agtool.ci_nodepool.runner.diff import diff
from agtool.ci_nodepool.runner.plan import RunnerPlan
from agtool.ci_nodepool.show.nodes import warning_lines


def diff_of(change: RunnerChange) -> str:
    """What changes in the template of a runner, without secrets; empty: nothing."""
    return diff(change.plan.before, change.plan.after, str(change.plan.runner))


def view_sent(change: RunnerChange, *, dry_run: bool) -> Iterator[str]:
    """What became of a runner whose jobs are sent to a pool, and what makes that last."""
    yield from view(change, dry_run=dry_run)
    if not dry_run:
        labels = ", ".join(f"{key}={value}" for key, value in change.wanted.node_selector.items())
        taints = ", ".join(f"{name}:{eff}" for name, eff in change.wanted.node_tolerations.items())
        yield f"  its jobs go to nodes with {labels}, and tolerate {taints}"
    if not change.outcome:  # otherwise they were shown before the question
        yield from warning_lines(change.warnings)
    if change.outcome or dry_run:
        yield "\nHelm and GitOps undo the change at their next run. To keep it, use these values:\n"
        yield helm_values(change.wanted, change.plan.runner.chart).rstrip()


def view(change: RunnerChange, *, dry_run: bool) -> Iterator[str]:
    """What became of a runner."""
    plan, outcome = change.plan, change.outcome
    if dry_run and change:
        if text := diff_of(change):
            yield text
        yield f"{plan.runner} would be {_deeds(plan, change.restart)}. Nothing was changed."
    elif outcome is None:
        yield f"{plan.runner} is already as wanted"
    else:
        yield f"{plan.runner} is {_deeds(outcome.plan, outcome.restarted)}"
        for pod in outcome.finishing:
            yield f"  the old {pod} runs until its jobs have ended"
    yield from (f"  kept {kept}" for kept in plan.kept)


def _deeds(plan: RunnerPlan, restarted: bool) -> str:
    return " and ".join(["changed"] * bool(plan) + ["restarted"] * restarted)


def document(change: RunnerChange, *, dry_run: bool) -> documents.RunnerChanged:
    """The same for programs."""
    return documents.RunnerChanged(**_fields(change, dry_run))


def document_sent(change: RunnerChange, *, dry_run: bool) -> documents.JobsSent:
    """The same for programs."""
    return documents.JobsSent(
        **_fields(change, dry_run),
        wanted=change.wanted,
        helm_values=helm_values(change.wanted, change.plan.runner.chart),
    )


def _fields(change: RunnerChange, dry_run: bool) -> dict[str, Any]:
    plan, outcome = change.plan, change.outcome
    return {
        "runner": str(plan.runner),
        "config_map": plan.runner.config_map["metadata"]["name"],
        "key": plan.runner.key,
        "dry_run": dry_run,
        "changed": bool(outcome and outcome.plan),
        "restarted": bool(outcome and outcome.restarted),
        "finishing": list(outcome.finishing) if outcome else [],
        "entries": plan.added,
        "kept": list(plan.kept),
        "diff": diff_of(change),
        "warnings": list(change.warnings),
    }
