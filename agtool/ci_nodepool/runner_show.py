"""Results about runners, for people and for programs. Pure."""

from __future__ import annotations

from typing import Any

from agtool.ci_nodepool.emit import helm_values
from agtool.ci_nodepool.runner_config import Placement
from agtool.ci_nodepool.runner_diff import diff
from agtool.ci_nodepool.runner_patch import Plan
from agtool.ci_nodepool.runner_run import Result


def patch_text(result: Result) -> str:
    """The end of `patch-runner`, for people."""
    lines = change_text(result)
    if not (result.declined or result.dry_run):
        tolerated = (f"{name}:{effect}" for name, effect in result.wanted.tolerations.items())
        labels = (f"{key}={value}" for key, value in result.wanted.selector.items())
        lines += [f"  its jobs go to {', '.join(labels)}, and tolerate {', '.join(tolerated)}"]
    lines += [f"warning: {warning}" for warning in result.warnings]
    if result.outcome or result.dry_run:
        lines += [
            "",
            "Helm and GitOps put back what they know at their next run. To make it last:",
            "",
            helm_values(result.wanted, result.plan.runner.chart).rstrip(),
        ]
    return "\n".join(lines)


def change_text(result: Result) -> list[str]:
    """What became of one runner."""
    plan = result.plan
    lines = []
    if result.declined:
        return ["Nothing was changed."]
    if result.dry_run and (plan or result.restart):
        if text := diff(plan.before, plan.after, str(plan.runner)):
            lines += [text]
        lines += [f"{plan.runner} would be {_deeds(plan, result.restart)}. Nothing was changed."]
    elif result.outcome is None:
        lines += [f"{plan.runner} is as wanted already"]
    else:
        outcome = result.outcome
        lines += [f"{plan.runner} is {_deeds(outcome.plan, outcome.restarted)}"]
        lines += [
            f"  {pod} goes on until its jobs have ended, where they are"
            for pod in outcome.finishing
        ]
    lines += [f"  kept {kept}" for kept in plan.kept]
    return lines


def _deeds(plan: Plan, restarted: bool) -> str:
    return " and ".join(["changed"] * bool(plan) + ["restarted"] * restarted)


def change_data(result: Result) -> dict[str, Any]:
    """The same for programs."""
    plan, outcome = result.plan, result.outcome
    return {
        "runner": str(plan.runner),
        "config_map": plan.runner.config_map["metadata"]["name"],
        "key": plan.runner.key,
        "dry_run": result.dry_run,
        "changed": outcome is not None and bool(outcome.plan),
        "restarted": outcome is not None and outcome.restarted,
        "finishing": list(outcome.finishing) if outcome else [],
        "entries": _tables(plan.added),
        "kept": list(plan.kept),
        "diff": diff(plan.before, plan.after, str(plan.runner)),
        "warnings": list(result.warnings),
    }


def patch_data(result: Result) -> dict[str, Any]:
    """`patch-runner` for programs."""
    return {
        **change_data(result),
        "wanted": _tables(result.wanted),
        "helm_values": helm_values(result.wanted, result.plan.runner.chart),
    }


def _tables(placement: Placement) -> dict[str, dict[str, str]]:
    return {name: dict(entries) for name, entries in placement.tables().items()}
