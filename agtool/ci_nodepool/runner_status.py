"""What does not fit together on a runner, beside where its jobs go. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from agtool.ci_nodepool.presets import presets_on
from agtool.ci_nodepool.runner import Json, Runner
from agtool.ci_nodepool.runner_config import CannotPatch
from agtool.ci_nodepool.runner_patch import record_of, stale_pods
from agtool.ci_nodepool.runner_settings import jobs, ways_out


class Finding(NamedTuple):
    """Something that does not fit together, with a stable word for it, and what to do."""

    word: str
    what: str
    hint: str


def findings(runner: Runner, pods: Sequence[Json]) -> Iterator[Finding]:
    """What is wrong with a runner; `pods` are its manager's."""
    selector = runner.pod.get("nodeSelector") or {}
    for preset in presets_on([selector]):
        if preset.label.key not in jobs(runner).selector:
            yield Finding(
                "wrong-knob",
                f"{preset.label} is in the nodeSelector of runner {runner} itself: that moves the "
                "runner, and not its jobs",
                "Take it out of the top-level nodeSelector in the Helm values; the jobs' is in "
                "runners.config: agtool ci-nodepool emit helm",
            )
    if record_of(runner) and (stale := stale_pods(runner, list(pods))):
        yield Finding(
            "not-restarted",
            f"runner {runner} was changed after its pod {stale[0]} had started, which does not "
            "know of it",
            f"agtool ci-nodepool patch-runner --runner {runner} restarts it",
        )
    try:
        names = ways_out(runner)
    except CannotPatch:
        return  # told as a doubt about where the jobs go
    for name in names:
        yield Finding(
            "jobs-may-leave",
            f"{name} is set for runner {runner}: a job can choose other nodes by its variables",
            "Take it out of the Helm values, if no job needs it.",
        )
