"""The commands that change runners: parse, wire, hand the result on."""

from __future__ import annotations

import typer  # noqa: TC002  # Typer reads the annotations

from agtool.ci_nodepool import documents, parse
from agtool.ci_nodepool.cli import options
from agtool.ci_nodepool.cli.nodes import finished
from agtool.ci_nodepool.model import identity
from agtool.core.command import Result
from agtool.core.errors import AgtoolError, UsageError
from agtool.core.options import ClusterOptions, given_options, grouped


@grouped
def patch_runner(
    *,
    pool: options.ProviderOptions,
    runner: options.RunnerNames = None,
    all_runners: options.AllRunners = False,
    prefer: options.Prefer = False,
    taint: options.Taints = None,
    timeout: options.Timeout = 600.0,
    force: options.Force = False,
    owned: options.Owned = False,
    change: options.ChangeOptions,
    namespace: options.RunnersNamespace = None,
    cluster: ClusterOptions,
) -> Result[documents.RunnersSent]:
    """Send the jobs of GitLab runners to the pool.

    Adds the nodes' label to the node selector of the jobs, and a toleration of the nodes'
    taint, in the template with which the runner registers. By default the nodes are those with
    a provider's label. The runner itself stays where it is. It is restarted; jobs that run are
    not interrupted. If the runner does not come up, the old template is put back. The command
    asks first, unless --runner names the runners.

    \b
    Examples:
      agtool ci-nodepool patch-runner --dry-run
      agtool ci-nodepool patch-runner --runner gitlab/gitlab-runner --preset gke-spot
      agtool ci-nodepool patch-runner -l pool=ci --taint dedicated=ci:NoSchedule --yes
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    from agtool.ci_nodepool.cli.agree import agree
    from agtool.ci_nodepool.jobs import carry_out_all, plan_jobs
    from agtool.ci_nodepool.pool.find import find_pool
    from agtool.ci_nodepool.runner.find import choose_all, find
    from agtool.ci_nodepool.show.changes import runners_document, runners_view
    from agtool.core.live import Live

    taints = [parse.parse_taint(each) for each in taint or ()]
    asked = pool.pool(given=taints)
    names = options.runner_names(runner, every=all_runners)
    namespace = parse.namespace_of_runners(names, namespace)
    stopped: AgtoolError | None = None
    with cluster.session(namespace=namespace) as session, Live() as live:
        found, nodes = find_pool(session, asked, may_be_empty=force)
        chosen = choose_all(find(session, namespace), names, namespace, every=all_runners)
        sent = [
            plan_jobs(session, each, found, taints, nodes, prefer=prefer, force=force, live=owned)
            for each in chosen
        ]
        if agree(change, runners=sent, named=bool(names)):
            sent, stopped = carry_out_all(session, sent, timeout=timeout, live=live)
    data = runners_document(sent, dry_run=change.dry_run)
    view = runners_view(sent, dry_run=change.dry_run)
    return Result(data, view, errors=[stopped] if stopped else [])


@grouped
def apply(
    *,
    pool: options.ProviderOptions,
    runner: options.RunnerNames = None,
    all_runners: options.AllRunners = False,
    prefer: options.Prefer = False,
    taint: options.Taints = None,
    timeout: options.Timeout = 600.0,
    force: options.Force = False,
    owned: options.Owned = False,
    skip_pods: options.SkipPods = False,
    change: options.ChangeOptions,
    namespace: options.RunnersNamespace = None,
    cluster: ClusterOptions,
) -> Result[documents.Applied]:
    """Send jobs to the pool, and keep all other pods off it.

    First the jobs get the node selector and the toleration, and the runner is restarted; then
    the nodes get the taint. In this order no job waits for ever. By default the nodes are
    those with a provider's label. With --prefer jobs run elsewhere where the pool has no room.
    The command can be run again at any time, and does what is left to do. To bring back what
    was there before, use undo.

    \b
    Examples:
      agtool ci-nodepool apply --dry-run
      agtool ci-nodepool apply --preset gke-spot --runner gitlab/gitlab-runner
      agtool ci-nodepool apply -l pool=ci --taint dedicated=ci:NoSchedule --yes
    """  # noqa: D301
    from agtool.ci_nodepool.apply import Applied
    from agtool.ci_nodepool.apply import apply as apply_to
    from agtool.ci_nodepool.cli.agree import agree
    from agtool.ci_nodepool.pool.write import CONNECTIONS
    from agtool.ci_nodepool.show import changes
    from agtool.core.live import Live

    taints = [parse.parse_taint(each) for each in taint or ()]
    parse.check_distinct(map(identity, taints))
    asked = pool.pool(given=taints)
    names = options.runner_names(runner, every=all_runners)
    namespace = parse.namespace_of_runners(names, namespace)

    def ask(plan: Applied) -> bool:
        named = bool(names) and not plan.nodes.changes
        return agree(change, runners=plan.runners, nodes=[plan.nodes], named=named)

    with cluster.session(namespace=namespace, connections=CONNECTIONS) as session, Live() as live:
        applied = apply_to(
            session,
            asked,
            taints,
            runners=names,
            every=all_runners,
            namespace=namespace,
            prefer=prefer,
            timeout=timeout,
            force=force,
            owned=owned,
            look_at_pods=not skip_pods,
            agree=ask,
            live=live,
        )
    data = changes.applied_document(applied, dry_run=change.dry_run)
    view = changes.applied_view(applied, dry_run=change.dry_run)
    return finished("ci-nodepool apply", data, view, [applied.nodes], applied.stopped)


@grouped
def undo(
    *,
    command_line: typer.Context,
    nodes: options.NodeNames = None,
    pool: options.PoolOptions,
    timeout: options.Timeout = 600.0,
    force: options.Force = False,
    change: options.ChangeOptions,
    namespace: options.RunnersNamespace = None,
    cluster: ClusterOptions,
) -> Result[documents.Undone]:
    """Bring back what was there before agtool.

    First the taints are removed, then the runner gets its old configuration, then the labels
    are removed. In this order no job waits for ever. What was there before agtool stays, and
    so does what somebody else has changed since. By default it is about all nodes and runners;
    with NODE, only these nodes are changed, and no runner, and nobody is asked. Stop `watch`
    first: it puts the taints back.

    \b
    Examples:
      agtool ci-nodepool undo --dry-run
      agtool ci-nodepool undo --yes
      agtool ci-nodepool undo node-1
    """  # noqa: D301
    from agtool.ci_nodepool.cli.agree import agree
    from agtool.ci_nodepool.pool.write import CONNECTIONS
    from agtool.ci_nodepool.show import changes
    from agtool.ci_nodepool.undo import Undone
    from agtool.ci_nodepool.undo import undo as undo_on
    from agtool.core.live import Live

    names, specs = parse.split_arguments(nodes)
    if specs:
        raise UsageError(
            f"{specs[0]!r} is not a valid name of a node",
            hint="undo takes names of nodes only. To remove one label or taint, use unlabel or "
            "untaint.",
        )
    if names and (idle := given_options(command_line) & {"--timeout", "--namespace"}):
        raise UsageError(
            f"{min(idle)} has no effect beside NODE",
            hint="Leave it out: with NODE no runner is changed.",
        )
    asked = pool.pool(names)

    def ask(plan: Undone) -> bool:
        return agree(change, runners=plan.runners, nodes=plan.nodes, named=bool(names))

    with cluster.session(namespace=namespace, connections=CONNECTIONS) as session, Live() as live:
        undone = undo_on(
            session,
            asked,
            namespace=namespace,
            timeout=timeout,
            force=force,
            agree=ask,
            live=live,
        )
    data = changes.undone_document(undone, dry_run=change.dry_run)
    view = changes.undone_view(undone, dry_run=change.dry_run)
    return finished("ci-nodepool undo", data, view, undone.nodes, undone.stopped)
