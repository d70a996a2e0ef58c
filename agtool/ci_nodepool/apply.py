"""`apply`: send jobs to a pool and taint its nodes, in the order in which no job is stranded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from agtool.ci_nodepool import jobs, nodes
from agtool.ci_nodepool.jobs import RunnerChange
from agtool.ci_nodepool.model import Node, Taint
from agtool.ci_nodepool.nodes import NodesChange
from agtool.ci_nodepool.pool.find import find_pool
from agtool.ci_nodepool.pool.plan import Wanted, plan_node
from agtool.ci_nodepool.presets import Pool, default_taints
from agtool.ci_nodepool.runner.change import interrupted
from agtool.ci_nodepool.runner.find import choose_all, find
from agtool.core.errors import AgtoolError
from agtool.core.kube.session import Session
from agtool.core.live import Live


@dataclass(frozen=True)
class Applied:
    """What is to be done, or was done.

    Attributes:
        stopped: why the rest was left alone after a runner was changed.
    """

    runners: tuple[RunnerChange, ...]
    nodes: NodesChange
    stopped: AgtoolError | None = None


def apply(
    session: Session,
    asked: Pool,
    taints: Sequence[Taint],
    *,
    runners: Sequence[str],
    every: bool,
    namespace: str | None,
    prefer: bool,
    timeout: float,
    force: bool,
    owned: bool,
    look_at_pods: bool,
    agree: Callable[[Applied], bool],
    live: Live,
) -> Applied:
    """Send the jobs of runners to the pool, then keep everything else off it.

    The order is what this is about. A node that is tainted before its jobs tolerate the taint
    strands each of them, so the runners come first, and the nodes only when they are up.

    Args:
        runners: their names; none: the only one, or with `every` all that there are.
        owned: also what Flux, Argo CD or Helm owns.
        prefer: jobs shall run rather there than elsewhere; else only there.
        taints: for the nodes, which jobs tolerate; none: those that go with the pool.
        timeout: seconds for the runner to come up.
        agree: is asked before anything is changed whether to go on; raises after a no.

    Raises:
        DeclinedError: what `agree` raises.
        RolloutFailed: the runner did not come up; all is as it was before.
        AgtoolError: one of the two steps cannot be planned.
    """
    # What would keep us from the second step is found before the first is done.
    pool, found = find_pool(session, asked)
    chosen = choose_all(find(session, namespace), runners, namespace, every=every)
    sent = tuple(
        jobs.plan_jobs(session, runner, pool, taints, found, prefer=prefer, force=force, live=owned)
        for runner in chosen
    )

    def plan_nodes(pool: Pool, found: Sequence[Node]) -> NodesChange:
        wanted = Wanted(taints=tuple(taints) or default_taints(pool, found))
        return nodes.plan_change(
            session,
            pool,
            found,
            partial(plan_node, wanted=wanted),
            force=force,
            look_at_pods=look_at_pods,
            besides=list(map(str, chosen)),
        )

    tainted = plan_nodes(pool, found)
    if not agree(Applied(sent, tainted)):
        return Applied(sent, tainted)

    # 1. The jobs get the selector and the toleration, and each runner is restarted.
    done, stopped = jobs.carry_out_all(session, sent, timeout=timeout, live=live)
    sent = tuple(done)
    if stopped:
        return Applied(sent, NodesChange(pool), stopped)

    # 2. The nodes get the taint, also those that came while the runner was restarted.
    try:
        if any(change.outcome for change in sent):
            with interrupted():
                tainted = plan_nodes(*find_pool(session, asked))
        tainted = nodes.carry_out(session, tainted)
    except AgtoolError as error:
        return Applied(sent, NodesChange(pool), stopped=error)
    return Applied(sent, tainted)
