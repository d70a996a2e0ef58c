"""What is wrong with a runner, apart from where its jobs go. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from agtool.ci_nodepool.presets import presets_on
from agtool.ci_nodepool.runner.model import Runner
from agtool.ci_nodepool.runner.placement import CannotPatch
from agtool.ci_nodepool.runner.plan import stale_pods
from agtool.ci_nodepool.runner.settings import jobs, ways_out
from agtool.core.finding import Finding

if TYPE_CHECKING:
    from agtool.core.kube.session import Json


def faults(runner: Runner, pods: Sequence[Json]) -> Iterator[Finding]:
    """What is wrong with a runner.

    Args:
        pods: of its manager.
    """
    subject = runner.subject
    for preset in presets_on([runner.pod.get("nodeSelector") or {}]):
        if preset.label.key not in jobs(runner).selector:
            yield Finding(
                "wrong-knob",
                f"{preset.label} is in the nodeSelector of runner {runner} itself: that moves the "
                "runner, and not its jobs",
                "Remove it from the top-level nodeSelector in the Helm values; that of the jobs is "
                "in runners.config: agtool ci-nodepool emit helm",
                subject,
            )
    if runner.record and (stale := stale_pods(runner, pods)):
        yield Finding(
            "not-restarted",
            f"runner {runner} was changed after its pod {stale[0]} had started: the pod still uses "
            "the old configuration",
            f"Restart it: agtool ci-nodepool patch-runner --runner {runner}",
            subject,
        )
    try:
        names = ways_out(runner)
    except CannotPatch:
        return  # shown as a doubt about where the jobs go
    for name in names:
        yield Finding(
            "jobs-may-leave",
            f"{name} is set for runner {runner}: a job can choose other nodes by its variables",
            "Remove it from the Helm values, if no job needs it.",
            subject,
        )
