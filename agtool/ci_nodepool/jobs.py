"""One change of a runner: find it, plan and refuse, then write, restart, and look again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from shlex import quote

from agtool.ci_nodepool.model import Node, Taint
from agtool.ci_nodepool.presets import Pool
from agtool.ci_nodepool.runner.change import (
    Interrupted,
    Outcome,
    hosts,
    interrupted,
    manager_pods,
    needs_restart,
    roll_out,
)
from agtool.ci_nodepool.runner.model import Runner
from agtool.ci_nodepool.runner.ownership import owner
from agtool.ci_nodepool.runner.placement import Tables, placement
from agtool.ci_nodepool.runner.plan import RunnerPlan, manager_in_pool, plan_patch, plan_undo
from agtool.ci_nodepool.runner.read import jobs, with_text
from agtool.ci_nodepool.stranding import refuse_nowhere
from agtool.core.errors import AgtoolError, DeniedError
from agtool.core.finding import Finding
from agtool.core.kube.errors import ConflictError, ForbiddenError
from agtool.core.kube.session import Session
from agtool.core.live import Live


@dataclass(frozen=True)
class RunnerChange:
    """What is to be done, or was done.

    Attributes:
        replan: makes the plan again for a runner whose ConfigMap has changed meanwhile.
        restart: whether the manager has to be restarted.
        wanted: where jobs shall go; empty for undo.
        warnings: what else a person should know.
        outcome: None: nothing was done yet, or was to be done.
    """

    plan: RunnerPlan
    replan: Callable[[Runner], RunnerPlan]
    restart: bool
    wanted: Tables = field(default_factory=Tables)
    warnings: tuple[Finding, ...] = ()
    outcome: Outcome | None = None

    def __bool__(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.plan) or self.restart

    @property
    def stopped(self) -> AgtoolError | None:
        """That Ctrl-C came while its manager was restarted."""
        return self.outcome.stopped if self.outcome else None


def plan_jobs(
    session: Session,
    runner: Runner,
    pool: Pool,
    taints: Sequence[Taint],
    nodes: Sequence[Node],
    *,
    prefer: bool = False,
    force: bool,
    live: bool = False,
) -> RunnerChange:
    """Find out what is to be done so that the jobs of a runner go to the pool.

    Args:
        taints: that jobs shall tolerate; none: those that go with the pool.
        prefer: rather to the pool than elsewhere; else only there.
        force: also if no node could take the jobs.
        live: also what Flux, Argo CD or Helm owns.

    Raises:
        OwnedElsewhere: somebody would put it back.
        CannotPatch: it cannot be done here; with what to change instead.
        UsageError: no runner can be sent to such a pool.
        WouldStrand: no node of the pool could take the jobs.
        CannotJudge: it cannot be told whether one could.
    """
    present = jobs(runner)
    spec = present[0].spec if len(present) == 1 else None
    wanted = placement(pool, taints, prefer=prefer, present=spec)

    def replan(again: Runner) -> RunnerPlan:
        return plan_patch(again, wanted)

    plan = replan(runner)
    if plan.added and not live:
        _refuse_owned(runner, pool, taints)
    if not force:
        for own in jobs(with_text(runner, plan.after)):
            refuse_nowhere(own, nodes, pool, taints)
    return RunnerChange(
        plan,
        replan,
        needs_restart(session, plan),
        wanted,
        (*plan.warnings, *_manager_warnings(session, runner, nodes)),
    )


class OwnedElsewhere(DeniedError):
    """Somebody else puts back what is changed live."""

    code = "owned-elsewhere"


def _refuse_owned(runner: Runner, pool: Pool, taints: Sequence[Taint]) -> None:
    """Raise OwnedElsewhere if the ConfigMap is one that comes from a repository."""
    by = owner(runner.config_map)
    if by is None:
        return
    name = runner.config_map["metadata"]["name"]
    options = "".join(f" --taint {quote(str(taint))}" for taint in taints)
    where = "" if pool.names else f" {pool.options}"
    raise OwnedElsewhere(
        f"the ConfigMap {name} of {runner} belongs to {by.name}, which puts back what is changed "
        "here",
        hint=f"Change {by.change}. In the file there: agtool ci-nodepool edit FILE{where}"
        f"{options}\n--live changes it here anyway, until it is put back.",
        subject=runner.subject,
    )


def plan_jobs_back(session: Session, runner: Runner) -> RunnerChange:
    """Find out what is to be done so that a runner is as before agtool. Raises CannotPatch."""
    plan = plan_undo(runner)
    return RunnerChange(plan, plan_undo, needs_restart(session, plan))


def carry_out(
    session: Session, change: RunnerChange, *, timeout: float, live: Live
) -> RunnerChange:
    """Write the template, restart the runner and wait; the same with the outcome.

    Args:
        timeout: seconds for the new manager to come up.

    Raises:
        RolloutFailed: the runner did not come up; the old template is back.
        ConflictError: somebody else undoes it.
    """
    if not change:
        return change
    outcome = roll_out(session, change.plan, change.replan, timeout=timeout, live=live)
    if outcome.stopped:
        return replace(change, outcome=outcome)
    plan = outcome.plan
    try:
        with interrupted():
            config_map = session.get(plan.runner.config_map_path)
    except Interrupted as error:
        return replace(change, outcome=replace(outcome, stopped=error))
    if (config_map.get("data") or {}).get(plan.runner.key) != plan.after:
        raise ConflictError(
            f"somebody else, perhaps Helm or GitOps, changed the ConfigMap of {plan.runner} again",
            hint="Change it in the values that they use: agtool ci-nodepool emit helm",
            subject=plan.runner.subject,
        )
    return replace(change, outcome=outcome)


def carry_out_all(
    session: Session, changes: Sequence[RunnerChange], *, timeout: float, live: Live
) -> tuple[list[RunnerChange], AgtoolError | None]:
    """One after the other, until one fails or Ctrl-C comes; the same with the outcomes of those.

    What kept us from the rest is beside them.

    Args:
        timeout: seconds for each manager to come up.

    Raises:
        AgtoolError: the first one failed, so that nothing is done.
    """
    done: list[RunnerChange] = []
    stopped: AgtoolError | None = None
    for change in changes:
        try:
            with interrupted():
                done.append(carry_out(session, change, timeout=timeout, live=live))
        except AgtoolError as error:
            if not done:
                raise
            stopped = error
        else:
            stopped = done[-1].stopped
        if stopped:
            break
    return [*done, *changes[len(done) :]], stopped


def _manager_warnings(session: Session, runner: Runner, nodes: Sequence[Node]) -> Iterator[Finding]:
    try:
        names = hosts(manager_pods(session, runner)) & {node.name for node in nodes}
    except ForbiddenError as error:
        text = f"cannot see on which node the runner itself runs: {error.message}"
        yield Finding("unseen", text, error.hint, runner.subject)
    else:
        for name in sorted(names):
            yield manager_in_pool(runner, f"runs on {name}, a node of the pool")
