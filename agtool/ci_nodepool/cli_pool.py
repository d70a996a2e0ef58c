"""The commands on a pool and its runner together: parse, wire, hand the result on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agtool.ci_nodepool.cli_nodes import Force, NodeNames, SkipPods, finish, tell
from agtool.ci_nodepool.cli_runner import RunnerName, Timeout
from agtool.ci_nodepool.options import ChangeOptions, Cluster, Output, PoolOptions, require_answer
from agtool.core.errors import AgtoolError, UsageError
from agtool.core.kube.errors import ForbiddenError, NotFoundError
from agtool.core.option_groups import grouped
from agtool.core.output import Format, document, errors_as_json, print_json, say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agtool.ci_nodepool import runner_run
    from agtool.ci_nodepool.model import Node
    from agtool.ci_nodepool.plan import Change
    from agtool.ci_nodepool.run import Manner, Result
    from agtool.ci_nodepool.runner import Runner
    from agtool.core.kube.session import Session

Taints = Annotated[
    list[str] | None,
    typer.Option(
        "--taint",
        metavar="KEY=VALUE:EFFECT",
        help="The taint for the nodes, which jobs tolerate; may be repeated.  [default: the one "
        "that goes with the label]",
    ),
]


@grouped
def status(
    *,
    pool: PoolOptions,
    skip_pods: SkipPods = False,
    output: Output = Format.table,
    cluster: Cluster,
) -> int:
    """Show what is there, and what does not fit together.

    The pool, its taints, its runners, and who does not tolerate its taints. The
    exit code is 0 if everything fits together, and 1 if not.

    \b
    Examples:
      agtool ci-nodepool status
      agtool ci-nodepool status -l pool=ci --output json
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    from agtool.ci_nodepool.status import find_status
    from agtool.ci_nodepool.status_show import print_status, status_data
    from agtool.ci_nodepool.write import CONNECTIONS

    as_json = output is Format.json
    with (
        errors_as_json("ci-nodepool status", as_json),
        cluster.session(CONNECTIONS) as session,
    ):
        found, problems = find_status(session, pool, cluster.namespace, look_at_pods=not skip_pods)
    code = 1 if problems else 0
    if as_json:
        data = status_data(found, problems)
        print_json(document("ci-nodepool status", exit_code=code, data=data))
    else:
        print_status(found, problems)
    return code


@grouped
def apply(
    *,
    pool: PoolOptions,
    runner: RunnerName = None,
    taint: Taints = None,
    timeout: Timeout = 600,
    force: Force = False,
    skip_pods: SkipPods = False,
    change: ChangeOptions,
    cluster: Cluster,
) -> int:
    """Send jobs to the pool, and keep everything else off it.

    First the jobs get the selector and the toleration, and the runner is restarted; then
    the nodes get the taint. So no job is ever stranded. It can be run again at any time,
    and does what is left to do; undo brings back what was there before.

    \b
    Examples:
      agtool ci-nodepool apply --dry-run
      agtool ci-nodepool apply --preset gke-spot --runner gitlab/gitlab-runner
      agtool ci-nodepool apply -l pool=ci --taint dedicated=ci:NoSchedule --yes
    """  # noqa: D301
    from functools import partial

    from agtool.ci_nodepool import parse, runner_run
    from agtool.ci_nodepool.nodes import default_taints, find_pool
    from agtool.ci_nodepool.plan import Wanted, plan_node
    from agtool.ci_nodepool.run import Manner, Result, change_nodes
    from agtool.ci_nodepool.runner_show import patch_data, patch_text
    from agtool.ci_nodepool.show import result_text
    from agtool.ci_nodepool.write import CONNECTIONS

    stopped: AgtoolError | None = None
    with errors_as_json("ci-nodepool apply", change.output is Format.json):
        given = tuple(map(parse.parse_taint, taint or ()))
        parse.check_distinct(given)
        with cluster.session(CONNECTIONS) as session:

            def patch_the_runner(*, dry_run: bool) -> runner_run.Result:
                how = runner_run.Manner(dry_run, change.yes, force, timeout, change.output)
                target = runner_run.Target(runner_run.placement(where, given), nodes)
                return runner_run.patch(session, runner, cluster.namespace, target, how)

            def taint_the_nodes(*, dry_run: bool, look_at_pods: bool) -> Result:
                taints = given or default_taints(where, nodes)
                manner = Manner(
                    *change._replace(dry_run=dry_run),
                    force=force,
                    look_at_pods=look_at_pods,
                    besides=str(patched.plan.runner),
                )
                planned = partial(plan_node, wanted=Wanted(taints=taints))
                return change_nodes(session, where, nodes, planned, manner=manner)

            # What would keep us from the second step is found before the first is done.
            where, nodes = find_pool(session, (), pool)
            patched = patch_the_runner(dry_run=True)
            result = taint_the_nodes(dry_run=True, look_at_pods=change.dry_run and not skip_pods)
            if change.dry_run:
                tell(patch_text(patched), change.output)
            else:
                if result.changes:
                    require_answer(result.question(), yes=change.yes, output=change.output)
                patched = patch_the_runner(dry_run=False)
                tell(patch_text(patched), change.output)
                result = Result(where, 0, [], declined=patched.declined)
                try:
                    if patched.outcome:  # it took a while: there may be new nodes
                        where, nodes = find_pool(session, (), pool)
                    if not patched.declined:
                        result = taint_the_nodes(dry_run=False, look_at_pods=not skip_pods)
                except AgtoolError as error:
                    stopped = error
    if not stopped:
        tell(result_text(result, "apply"), change.output)
    more = {"runner": patch_data(patched)}
    return finish("ci-nodepool apply", [result], change.output, more, stopped)


@grouped
def undo(
    *,
    nodes: NodeNames = None,
    pool: PoolOptions,
    timeout: Timeout = 600,
    force: Force = False,
    change: ChangeOptions,
    cluster: Cluster,
) -> int:
    """Bring back what was there before agtool.

    First taints go, then the runner gets its jobs' old settings, then labels go: so no job
    is ever stranded. What was there before, or was changed since by somebody
    else, stays, and is named. With NODE, only these nodes, and no runner. Where a watch
    puts back what was taken off, it stops there.

    \b
    Examples:
      agtool ci-nodepool undo --dry-run
      agtool ci-nodepool undo --yes
      agtool ci-nodepool undo node-1
    """  # noqa: D301
    from agtool.ci_nodepool import runner_run
    from agtool.ci_nodepool.parse import split_arguments
    from agtool.ci_nodepool.plan import undo_labels, undo_node, undo_taints
    from agtool.ci_nodepool.run import Manner
    from agtool.ci_nodepool.runner_show import change_data, change_text
    from agtool.ci_nodepool.show import result_text
    from agtool.ci_nodepool.write import CONNECTIONS

    with errors_as_json("ci-nodepool undo", change.output is Format.json):
        names, specs = split_arguments(nodes or [])
        if specs:
            raise UsageError(
                f"{specs[0]!r} is not the name of a node", hint="undo takes nodes, and options."
            )
        manner = Manner(*change, force=force)
        how = runner_run.Manner(change.dry_run, change.yes, force, timeout, change.output)
        results: list[Result] = []
        runners: list[runner_run.Result] = []
        stopped: AgtoolError | None = None
        with cluster.session(CONNECTIONS) as session:

            def undo_on_nodes(planned: Callable[[Node], Change]) -> bool:
                result = _undo_nodes(session, names, pool, planned, manner)
                results.append(result)
                if result.changes:
                    tell(result_text(result, "undo"), change.output)
                return result.done()

            if names:
                undo_on_nodes(undo_node)
            elif undo_on_nodes(undo_taints):
                try:
                    for runner in _changed_runners(session, cluster.namespace):
                        runners.append(runner_run.undo(session, runner, how))
                        tell("\n".join(change_text(runners[-1])), change.output)
                    if not any(runner.declined for runner in runners):
                        undo_on_nodes(undo_labels)
                except AgtoolError as error:
                    stopped = error
    if not (stopped or runners or any(result.changes for result in results)):
        tell("undo: nothing to do", change.output)
    more = {"runners": [change_data(runner) for runner in runners]}
    return finish("ci-nodepool undo", results, change.output, more, stopped)


def _undo_nodes(
    session: Session,
    names: Sequence[str],
    pool: PoolOptions,
    planned: Callable[[Node], Change],
    manner: Manner,
) -> Result:
    """What became of the nodes; those that a watch has changed again count as failed."""
    import time
    from contextlib import suppress

    from agtool.ci_nodepool.nodes import find_changed
    from agtool.ci_nodepool.run import change_nodes
    from agtool.ci_nodepool.watch import REACTS
    from agtool.ci_nodepool.write import put_back

    where, nodes = find_changed(session, names, pool)
    result = change_nodes(session, where, nodes, planned, manner=manner)
    if result.report and result.report.changed:
        time.sleep(REACTS)
        with suppress(NotFoundError):
            _, again = find_changed(session, names, pool)
            put_back(result.report, [node.name for node in again if planned(node)])
    return result


def _changed_runners(session: Session, namespace: str | None) -> list[Runner]:
    """The runners that agtool has changed, as far as we may look; says so where we may not."""
    from agtool.ci_nodepool.runner import find
    from agtool.ci_nodepool.runner_patch import record_of

    try:
        return [runner for runner in find(session, namespace) if record_of(runner)]
    except ForbiddenError as error:
        say(f"warning: cannot look for runners that agtool changed: {error.message}")
        return []
