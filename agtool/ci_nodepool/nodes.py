"""One change of many nodes: plan and refuse, then write, and see what became of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from agtool.ci_nodepool.model import Node
from agtool.ci_nodepool.pool.affected import MANY, find_affected
from agtool.ci_nodepool.pool.fates import Affected
from agtool.ci_nodepool.pool.plan import Change, added_taints
from agtool.ci_nodepool.pool.write import Report, write_all
from agtool.ci_nodepool.presets import Pool
from agtool.ci_nodepool.stranding import refuse_stranding
from agtool.core.finding import Finding
from agtool.core.kube.errors import ConflictError, ForbiddenError
from agtool.core.kube.session import Session

Planned = Callable[[Node], Change]


@dataclass(frozen=True)
class NodesChange:
    """What is to be done, or was done.

    Attributes:
        planned: plans again for a node that has changed meanwhile.
        nodes: how many were looked at.
        changes: of those that are not as wanted.
        affected: pods and DaemonSets that do not tolerate taints that are new.
        slipped: pods that came between our look and the taint.
        warnings: what could not be looked at.
        looks_at_pods: whether to look for pods that come while the nodes are changed.
        report: None: nothing was done yet, or was to be done.
    """

    pool: Pool
    planned: Planned = Change
    nodes: int = 0
    changes: tuple[Change, ...] = ()
    affected: tuple[Affected, ...] = ()
    slipped: tuple[Affected, ...] = ()
    warnings: tuple[Finding, ...] = ()
    looks_at_pods: bool = False
    report: Report | None = None

    @property
    def complete(self) -> bool:
        """Whether all nodes are as wanted now, and what comes next may begin."""
        return not (self.report and (self.report.failed or self.report.interrupted))


def plan_change(
    session: Session,
    pool: Pool,
    nodes: Sequence[Node],
    planned: Planned,
    *,
    force: bool = False,
    look_at_pods: bool = True,
    besides: Sequence[str] = (),
) -> NodesChange:
    """Find out what is to be done for each node, and what that means for others.

    Args:
        force: also if jobs would wait for ever.
        look_at_pods: find out who is affected, which takes a list of all pods.
        besides: runners whose jobs cannot be stranded, because they are about to be changed too.

    Raises:
        ConflictError: something is there with another value.
        WouldStrand: jobs would wait for ever.
    """
    plans = [planned(node) for node in nodes]
    _refuse_clashes(plans)
    changes = tuple(filter(None, plans))
    warnings = [] if force else refuse_stranding(session, pool, changes, besides=besides)
    affected: Sequence[Affected] = ()
    if look_at_pods:
        try:
            affected = _affected(session, changes)
        except ForbiddenError as error:
            text = f"cannot look for pods that do not tolerate the taint: {error.message}"
            warnings.append(Finding("unseen", text, error.hint))
            look_at_pods = False
    return NodesChange(
        pool,
        planned,
        len(nodes),
        changes,
        tuple(affected),
        warnings=tuple(warnings),
        looks_at_pods=look_at_pods and len(changes) <= MANY,
    )


def carry_out(session: Session, change: NodesChange) -> NodesChange:
    """Change the nodes; the same with what became of each."""
    if not change.changes:
        return change
    report = write_all(session, change.changes, change.planned)
    done = replace(change, report=report)
    if not (done.looks_at_pods and done.complete):
        return done
    try:
        after = _affected(session, change.changes)
    except KeyboardInterrupt:
        report.interrupted = True
        return done
    return replace(done, slipped=tuple(pod for pod in after if pod not in change.affected))


def _affected(session: Session, changes: Sequence[Change]) -> Sequence[Affected]:
    taints = added_taints(changes)
    tainted = [change.node for change in changes if change.taints is not None]
    return find_affected(session, taints, tainted) if taints else ()


def _refuse_clashes(plans: Sequence[Change]) -> None:
    clashing = [change for change in plans if change.clashes]
    if clashing:
        first = clashing[0]
        others = f" (and {len(clashing) - 1:,} more)" if len(clashing) > 1 else ""
        raise ConflictError(
            f"node {first.node.name}{others} has {', '.join(first.clashes)} already",
            hint="Nothing was changed. To replace the value, give --overwrite to agtool "
            f"ci-nodepool {first.clashes[0].partition(' ')[0]}. undo brings the old value back.",
            subject=f"node {first.node.name}",
        )
