"""One change of a runner: find it, plan, check, show, ask, write, wait, and look again."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agtool.ci_nodepool.checks import WouldStrand
from agtool.ci_nodepool.model import Jobs, Label, Node, Taint, Toleration, lasting_taints
from agtool.ci_nodepool.nodes import NoNodes, Pool, find_pool
from agtool.ci_nodepool.options import PoolOptions, ask
from agtool.ci_nodepool.parse import parse_equality
from agtool.ci_nodepool.presets import DEFAULT, PRESETS
from agtool.ci_nodepool.runner import Runner, choose, find
from agtool.ci_nodepool.runner_change import Outcome, carry_out, managers_on, needs_restart
from agtool.ci_nodepool.runner_config import Placement
from agtool.ci_nodepool.runner_diff import diff
from agtool.ci_nodepool.runner_patch import Plan, plan_patch, plan_undo
from agtool.ci_nodepool.runner_settings import jobs
from agtool.core.errors import UsageError
from agtool.core.kube.errors import ConflictError, ForbiddenError
from agtool.core.output import Format, say, show_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from agtool.core.kube.session import Session


@dataclass(frozen=True)
class Manner:
    """How to go about it: the options of the commands.

    Attributes:
        force: also when no node could take the jobs.
        timeout: seconds for the rollout.
    """

    dry_run: bool = False
    yes: bool = False
    force: bool = False
    timeout: float = 600
    output: Format = Format.table


@dataclass(frozen=True)
class Result:
    """What was found, and what was done.

    Attributes:
        wanted: where jobs shall go; empty for undo.
        restart: whether the manager has to be restarted.
        outcome: None: nothing was to be done, or was done.
        declined: the person said no.
    """

    plan: Plan
    wanted: Placement
    warnings: tuple[str, ...]
    dry_run: bool
    restart: bool = False
    outcome: Outcome | None = None
    declined: bool = False


@dataclass(frozen=True)
class Target:
    """Where jobs shall go: for the runner, and the nodes that this means now."""

    wanted: Placement
    nodes: Sequence[Node]


def find_target(
    session: Session, options: PoolOptions, taints: Sequence[Taint], *, may_be_empty: bool
) -> Target:
    """What the options mean, or what the nodes carry.

    Raises:
        UsageError: a selector that no runner can have.
        NoNodes: no node matches, and that was not allowed.
    """
    try:
        pool, nodes = find_pool(session, (), options)
    except NoNodes:
        if not may_be_empty:
            raise
        return Target(named(options, taints), ())
    return Target(placement(pool, taints), nodes)


def named(options: PoolOptions, taints: Sequence[Taint]) -> Placement:
    """What the options mean without a look at the nodes. Raises UsageError."""
    preset = PRESETS[options.preset] if options.preset else None
    if preset is None and not options.selector:
        preset = DEFAULT
    return placement(Pool((), options.selector or "", preset), taints)


def placement(pool: Pool, taints: Sequence[Taint]) -> Placement:
    """Where jobs shall go: to the pool's labels, in spite of these taints or of its own."""
    labels = [_equality(part) for part in pool.selector.split(",") if part]
    if pool.preset is None:
        own = Toleration(labels[0].key, labels[0].value, "NoSchedule")
    else:
        own = pool.preset.toleration
        labels = labels or [pool.preset.label]
    return Placement.of(labels, [Toleration(*taint) for taint in taints] or [own])


def patch(
    session: Session, name: str | None, namespace: str | None, target: Target, manner: Manner
) -> Result:
    """Send the jobs of a runner to the pool.

    Raises:
        NotFoundError: no such runner.
        UsageError: several; or there is nobody to ask.
        CannotPatch: it cannot be done here; with what to change instead.
        WouldStrand: no node of the pool could take the jobs.
        RolloutFailed: the runner did not come up; the old template is back.
        ConflictError: somebody else undoes it.
    """
    where = name.partition("/")[0] if name and "/" in name else namespace
    runner = choose(find(session, where), name, where)
    plan = plan_patch(runner, target.wanted)
    if plan and not manner.force:
        _refuse_nowhere(_after(plan), target)
    warnings = (*plan.warnings, *_manager_warning(session, runner, target.wanted))
    return _change(
        session,
        Result(plan, target.wanted, warnings, manner.dry_run),
        lambda again: plan_patch(again, target.wanted),
        manner,
        named=name is not None,
    )


def undo(session: Session, runner: Runner, manner: Manner) -> Result:
    """Take back what agtool changed on a runner.

    Raises: as `patch`.
    """
    plan = plan_undo(runner)
    return _change(
        session, Result(plan, Placement(), (), manner.dry_run), plan_undo, manner, named=False
    )


def _change(
    session: Session,
    result: Result,
    replan: Callable[[Runner], Plan],
    manner: Manner,
    *,
    named: bool,
) -> Result:
    plan = result.plan
    restart = needs_restart(session, plan)
    result = replace(result, restart=restart)
    if manner.dry_run or not (plan or restart):
        return result
    if not named:
        say(diff(plan.before, plan.after, str(plan.runner)))
        question = f"Change {plan.runner} and restart it?" if restart else f"Change {plan.runner}?"
        if not ask(question, yes=manner.yes, output=manner.output):
            return replace(result, declined=True)
    with _shown() as show:
        outcome = carry_out(session, plan, replan, timeout=manner.timeout, show=show)
    _check_it_stayed(session, outcome.plan)
    return replace(result, outcome=outcome)


def _check_it_stayed(session: Session, plan: Plan) -> None:
    config_map = session.get(plan.runner.config_map_path)
    if (config_map.get("data") or {}).get(plan.runner.key) != plan.after:
        raise ConflictError(
            f"the ConfigMap of {plan.runner} was changed again by somebody else, perhaps by Helm "
            "or GitOps",
            hint="Change it where they take it from: agtool ci-nodepool emit helm",
        )


def _after(plan: Plan) -> Jobs:
    """Where jobs go when the plan is carried out."""
    data = {**(plan.runner.config_map.get("data") or {}), plan.runner.key: plan.after}
    return jobs(replace(plan.runner, config_map={**plan.runner.config_map, "data": data}))


def _refuse_nowhere(after: Jobs, target: Target) -> None:
    """Raise WouldStrand if no node could take the jobs."""
    there = [node for node in target.nodes if after.selects(node.labels)]
    if not there:
        asked = ",".join(f"{key}={value}" for key, value in after.selector.items())
        raise WouldStrand(
            f"no node has {asked}, to which the jobs would be sent: they would wait for ever",
            hint="Label the nodes first, or take another --preset or --selector. --force changes "
            "the runner all the same, for a pool that scales from zero.",
        )
    blocked = [[t for t in lasting_taints(node) if not after.tolerates(t)] for node in there]
    if all(blocked):
        untolerated = blocked[0][0]
        raise WouldStrand(
            f"every node of the pool has a taint that jobs would not tolerate, such as "
            f"{untolerated}: they would wait for ever",
            hint=f"Name the taints of the pool: --taint {untolerated}. --force changes the "
            "runner all the same.",
        )


def _manager_warning(session: Session, runner: Runner, wanted: Placement) -> list[str]:
    try:
        nodes = managers_on(session, runner, dict(wanted.selector))
    except ForbiddenError as error:
        return [f"cannot see on which node the runner itself runs: {error.message}"]
    return [
        f"the runner itself (the manager) runs on {node}, which is one of the pool: when that "
        "goes, all its jobs fail. Keep it off with nodeSelector in the Helm values"
        for node in nodes
    ]


def _equality(part: str) -> Label:
    label = parse_equality(part)
    if label is None:
        raise UsageError(
            f"jobs cannot select nodes by {part!r}",
            hint="A runner's node_selector knows only KEY=VALUE, and all of them must hold.",
        )
    return label


@contextmanager
def _shown() -> Iterator[Callable[[str], None]]:
    """A function that shows how far a rollout is: on one line, or a line for each new state."""
    terminal = sys.stderr.isatty()
    last = ""

    def show(text: str) -> None:
        nonlocal last
        if terminal:
            show_line(f"restarting: {text}")
        elif text != last:
            say(f"restarting: {text}")
        last = text

    try:
        yield show
    finally:
        if terminal:
            show_line("")
