"""What must not happen to jobs: to wait for ever. Refused before anything is changed."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from agtool.ci_nodepool.model import Jobs, Node, Taint, lasting_taints
from agtool.ci_nodepool.pool.plan import Change, added_taints
from agtool.ci_nodepool.pool.write import NODES
from agtool.ci_nodepool.runner.find import find_visible
from agtool.ci_nodepool.runner.settings import jobs
from agtool.core.errors import DeniedError
from agtool.core.finding import Finding
from agtool.core.kube.session import METADATA_LIST, Session


class WouldStrand(DeniedError):
    """Jobs would wait for ever."""

    code = "would-strand-jobs"


def refuse_stranding(
    session: Session, changes: Sequence[Change], *, besides: Collection[str] = ()
) -> list[Finding]:
    """Raise WouldStrand if jobs of any runner would wait for ever; looks only where they might.

    Args:
        besides: runners that are not looked at, because they are about to be changed too.

    Returns:
        What could not be looked at.
    """
    taints = added_taints(changes)
    if not (taints or any(change.labels.keys() & change.node.labels for change in changes)):
        return []
    runners, warnings = find_visible(session, None, "runners whose jobs would wait for ever")
    for runner in runners:
        if str(runner) not in besides:
            _refuse_deadlock(jobs(runner), taints, changes)
            _refuse_empty_pool(session, jobs(runner), changes)
    return warnings


def _refuse_deadlock(own: Jobs, taints: Sequence[Taint], changes: Sequence[Change]) -> None:
    """Raise WouldStrand if jobs that are sent to these nodes do not tolerate a new taint."""
    taint = next((taint for taint in taints if not own.tolerates(taint)), None)
    if taint and any(own.selects(change.node.labels) for change in changes):
        raise WouldStrand(
            f"jobs of runner {own.runner} are sent to these nodes and do not tolerate {taint}: "
            "they would wait for ever",
            hint=f"Change both in the right order: agtool ci-nodepool apply --runner {own.runner}. "
            "--force taints the nodes anyway.",
            subject=own.subject,
        )


def _refuse_empty_pool(session: Session, own: Jobs, changes: Sequence[Change]) -> None:
    """Raise WouldStrand if the changes remove the label from the last nodes of a runner's jobs."""
    leaving = {
        change.node.name
        for change in changes
        if own.selects(change.node.labels)
        and not own.selector.items() <= {**change.node.labels, **change.labels}.items()
    }
    if not leaving:
        return
    selected = session.pages(NODES, labelSelector=own.selector_text, accept=METADATA_LIST)
    if all(node["metadata"]["name"] in leaving for node in selected):
        raise WouldStrand(
            f"jobs of runner {own.runner} are sent to nodes with {own.selector_text}, and no node "
            "would have it any more: they would wait for ever",
            hint="Send the jobs elsewhere first: agtool ci-nodepool undo does both. --force "
            "changes the label anyway.",
            subject=own.subject,
        )


def refuse_nowhere(own: Jobs, nodes: Sequence[Node]) -> None:
    """Raise WouldStrand if none of the nodes could take the jobs."""
    selected = [node for node in nodes if own.selects(node.labels)]
    if not selected:
        raise WouldStrand(
            f"no node has {own.selector_text}, to which the jobs would be sent: they would wait "
            "for ever",
            hint="Label the nodes first, or give another --preset or --selector. --force changes "
            "the runner anyway, for a pool that scales from zero.",
            subject=own.subject,
        )
    blocked = [[t for t in lasting_taints(node) if not own.tolerates(t)] for node in selected]
    if all(blocked):
        raise WouldStrand(
            "every node of the pool has a taint that jobs would not tolerate, such as "
            f"{blocked[0][0]}: they would wait for ever",
            hint=f"Name the taints of the pool: --taint '{blocked[0][0]}'. --force changes the "
            "runner anyway.",
            subject=own.subject,
        )
