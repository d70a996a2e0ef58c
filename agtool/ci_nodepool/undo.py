"""`undo`: bring back what was there before agtool, in the order in which no job is stranded."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from agtool.ci_nodepool import jobs, nodes
from agtool.ci_nodepool.jobs import RunnerChange
from agtool.ci_nodepool.nodes import NodesChange, Planned
from agtool.ci_nodepool.pool.find import find_changed
from agtool.ci_nodepool.pool.plan import undo_node
from agtool.ci_nodepool.pool.write import count_as_failed
from agtool.ci_nodepool.presets import Pool
from agtool.ci_nodepool.runner.change import interrupted
from agtool.ci_nodepool.runner.find import find_visible
from agtool.core.errors import AgtoolError
from agtool.core.finding import Finding
from agtool.core.kube.errors import NotFoundError
from agtool.core.kube.session import Session
from agtool.core.live import Live

_undo_labels = partial(undo_node, taints=False)
_undo_taints = partial(undo_node, labels=False)

_WATCH_REACTS = 1.0
"""Seconds within which a watch that runs somewhere puts back what was removed."""


@dataclass(frozen=True)
class Undone:
    """What is to be done, or was done.

    Attributes:
        nodes: the changes of nodes, in their order.
        warnings: what could not be looked at.
        stopped: what kept us from going on after these steps.
    """

    nodes: tuple[NodesChange, ...]
    runners: tuple[RunnerChange, ...] = ()
    warnings: tuple[Finding, ...] = ()
    stopped: AgtoolError | None = None

    def __bool__(self) -> bool:
        """Whether anything is to be done."""
        return any(self.runners) or any(change.changes for change in self.nodes)


def undo(
    session: Session,
    asked: Pool,
    *,
    namespace: str | None,
    timeout: float,
    force: bool,
    agree: Callable[[Undone], bool],
    live: Live,
) -> Undone:
    """Undo what agtool changed on nodes and runners; on nodes that are named only, no runner.

    The order is the opposite of `apply`. A runner whose jobs lose their toleration before the
    taint is gone strands each of them; so do nodes that lose the label before the runner no
    longer selects it.

    Args:
        timeout: seconds for a runner to come up.
        agree: is asked before anything is changed whether to go on; raises after a no.

    Raises:
        DeclinedError: what `agree` raises.
        AgtoolError: one of the steps cannot be planned.
    """
    purpose = "runners that agtool changed"
    found, warnings = ([], []) if asked.names else find_visible(session, namespace, purpose)
    runners = [runner for runner in found if runner.record]

    def plan_nodes(planned: Planned, besides: Sequence[str] = ()) -> NodesChange:
        pool, found = find_changed(session, asked)
        return nodes.plan_change(session, pool, found, planned, force=force, besides=besides)

    if asked.names:
        steps = [plan_nodes(undo_node)]
    else:
        # That the labels can go is known before the taints go; the runners are then back.
        steps = [plan_nodes(_undo_taints), plan_nodes(_undo_labels, list(map(str, runners)))]
    back = tuple(jobs.plan_jobs_back(session, runner) for runner in runners)
    plan = Undone(tuple(steps), back, tuple(warnings))
    if not agree(plan):
        return plan

    # 1. The taints go; with nodes by name the labels too, and that is all.
    done = [_carry_out(session, asked, steps[0])]
    changed: tuple[RunnerChange, ...] = ()
    stopped = None
    if done[0].complete and not asked.names:
        try:
            # 2. The runners get their old template, and are restarted.
            for runner in plan.runners:
                with suppress(NotFoundError):  # it is gone, and with it what agtool changed
                    with interrupted():
                        restored = jobs.carry_out(session, runner, timeout=timeout, live=live)
                    changed = (*changed, restored)
                    if restored.stopped:
                        raise restored.stopped

            # 3. The labels go.
            with interrupted():
                labels = plan_nodes(_undo_labels)
            done.append(_carry_out(session, asked, labels))
        except AgtoolError as error:
            stopped = error
    return Undone(tuple(done), changed, plan.warnings, stopped)


def _carry_out(session: Session, asked: Pool, change: NodesChange) -> NodesChange:
    """Change the nodes; those that a watch has changed back count as failed."""
    done = nodes.carry_out(session, change)
    if done.report and done.report.changed:
        try:
            time.sleep(_WATCH_REACTS)
            with suppress(NotFoundError):
                _, again = find_changed(session, asked)
                count_as_failed(done.report, [node.name for node in again if change.planned(node)])
        except KeyboardInterrupt:
            done.report.interrupted = True
    return done
