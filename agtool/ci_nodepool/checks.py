"""What must not happen to jobs: refused before anything is changed, and shown by status."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from agtool.ci_nodepool.model import Jobs, Node, Taint, taint_of
from agtool.ci_nodepool.plan import Change
from agtool.core.errors import DeniedError
from agtool.core.kube.session import METADATA_LIST
from agtool.core.kube.errors import ForbiddenError
from agtool.core.output import say

if TYPE_CHECKING:
    from agtool.core.kube.session import Session


class WouldStrand(DeniedError):
    """Jobs would wait for ever."""

    code = "would-strand-jobs"


def added_taints(changes: Iterable[Change]) -> list[Taint]:
    """The taints that any of the nodes gets."""
    added = {
        taint: None
        for change in changes
        for taint in map(taint_of, change.taints or ())
        if not change.node.has(taint)
    }
    return list(added)


def stranded_by_taints(
    jobs: Iterable[Jobs], taints: Sequence[Taint], nodes: Sequence[Node]
) -> list[tuple[Jobs, Taint]]:
    """The runners whose jobs select these nodes, with the taint that their jobs do not tolerate."""
    return [
        (of_runner, taint)
        for of_runner in jobs
        for taint in taints
        if not of_runner.tolerates(taint) and any(of_runner.selects(n.labels) for n in nodes)
    ]


def refuse_deadlock(jobs: Iterable[Jobs], changes: Sequence[Change]) -> None:
    """Raise WouldStrand if jobs that are sent to these nodes do not tolerate a new taint."""
    nodes = [change.node for change in changes]
    for of_runner, taint in stranded_by_taints(jobs, added_taints(changes), nodes):
        raise WouldStrand(
            f"jobs of runner {of_runner.runner} are sent to these nodes and do not tolerate "
            f"{taint}: they would wait for ever",
            hint="agtool ci-nodepool apply does both in the right order; "
            "patch-runner adds the toleration alone. --force taints all the same.",
        )


def refuse_empty_pool(session: Session, jobs: Iterable[Jobs], changes: Sequence[Change]) -> None:
    """Raise WouldStrand if the changes take the label from the last nodes of a runner's jobs."""
    for of_runner in jobs:
        leaving = {
            c.node.name
            for c in changes
            if of_runner.selects(c.node.labels) and _leaves(of_runner, c)
        }
        if not leaving:
            continue
        selector = ",".join(f"{key}={value}" for key, value in of_runner.selector.items())
        staying = (
            node["metadata"]["name"]
            for node in session.pages("/api/v1/nodes", labelSelector=selector, accept=METADATA_LIST)
        )
        if all(name in leaving for name in staying):
            raise WouldStrand(
                f"jobs of runner {of_runner.runner} are sent to nodes with {selector}, "
                "and no node would have it any more: they would wait for ever",
                hint="Send the jobs elsewhere first: agtool ci-nodepool undo does both. "
                "--force unlabels all the same.",
            )


def _leaves(of_runner: Jobs, change: Change) -> bool:
    labels = {**change.node.labels, **change.labels}
    return not of_runner.selector.items() <= labels.items()


def refuse_stranding(session: Session, changes: Sequence[Change], *, besides: str = "") -> None:
    """Raise WouldStrand if jobs of any runner would wait for ever; looks only where they might.

    Args:
        besides: a runner that is not looked at, because it is about to be changed too.
    """
    tainted = bool(added_taints(changes))
    unlabelled = any(None in change.labels.values() for change in changes)
    if tainted or unlabelled:
        jobs = [of_runner for of_runner in known_jobs(session) if of_runner.runner != besides]
        refuse_deadlock(jobs, changes)
        refuse_empty_pool(session, jobs, changes)


def known_jobs(session: Session) -> list[Jobs]:
    """Where the jobs of all runners go, as far as we may look; says so where we may not."""
    from agtool.ci_nodepool.runner import find
    from agtool.ci_nodepool.runner_settings import jobs

    try:
        return [jobs(runner) for runner in find(session, None)]
    except ForbiddenError as error:
        say(f"warning: cannot look for runners whose jobs may be stranded: {error.message}")
        return []
