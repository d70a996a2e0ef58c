"""The commands that change nodes: parse, wire, hand the result on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from agtool.ci_nodepool import documents, parse
from agtool.ci_nodepool.cli import options
from agtool.ci_nodepool.model import identity
from agtool.ci_nodepool.pool.plan import Wanted, plan_node
from agtool.ci_nodepool.presets import DEFAULT, Pool, Preset, default_taints
from agtool.core.command import Result
from agtool.core.errors import INTERRUPTED, AgtoolError, UsageError
from agtool.core.options import ClusterOptions, grouped

if TYPE_CHECKING:
    from agtool.ci_nodepool.model import Node
    from agtool.ci_nodepool.nodes import NodesChange
    from agtool.core.output import View

Data = TypeVar("Data")


@grouped
def taint(
    *,
    arguments: options.NodesAndSpecs = None,
    pool: options.ProviderOptions,
    overwrite: options.Overwrite = False,
    force: options.Force = False,
    skip_pods: options.SkipPods = False,
    change: options.ChangeOptions,
    cluster: ClusterOptions,
) -> Result[documents.NodesChanged]:
    """Taint nodes, so that only jobs can run there.

    SPEC is KEY=VALUE:EFFECT or KEY:EFFECT to add a taint, and KEY- or KEY:EFFECT- to remove
    one. Without SPEC it is the taint that goes with the provider's label; without NODE, the
    nodes that have such a label. The command refuses a taint if jobs of a GitLab runner are
    sent to these nodes and do not tolerate it. It asks first, unless the nodes are named.

    \b
    Examples:
      agtool ci-nodepool taint --dry-run
      agtool ci-nodepool taint --preset gke-spot --yes
      agtool ci-nodepool taint node-1 node-2 dedicated=ci:NoSchedule
      agtool ci-nodepool taint -l pool=ci dedicated=ci:NoSchedule old-key-
    """  # noqa: D301  # the backslash keeps the examples' lines apart

    def wanted(specs: Sequence[str], found: Pool, nodes: Sequence[Node]) -> Wanted:
        if not specs:
            _preset(found, "KEY=VALUE:EFFECT")
            return Wanted(taints=default_taints(found, nodes), overwrite=overwrite)
        taints = tuple(parse.parse_taint(s) for s in specs if not parse.is_removal(s))
        gone = tuple(parse.parse_taint_match(s) for s in specs if parse.is_removal(s))
        parse.check_distinct([*map(identity, taints), *gone])
        return Wanted(taints=taints, no_taints=gone, overwrite=overwrite)

    return _change(
        "taint", arguments, wanted, pool, change, cluster=cluster, force=force, skip_pods=skip_pods
    )


@grouped
def untaint(
    *,
    arguments: options.NodesAndSpecs = None,
    pool: options.ProviderOptions,
    change: options.ChangeOptions,
    cluster: ClusterOptions,
) -> Result[documents.NodesChanged]:
    """Remove a taint from nodes, whoever added it.

    SPEC is KEY:EFFECT, or KEY- for all effects. Without SPEC it is the taint that goes with
    the provider's label; without NODE, the nodes that have such a label. It is not an error
    if a node does not have the taint. The command asks first, unless the nodes are named.

    \b
    Examples:
      agtool ci-nodepool untaint --dry-run
      agtool ci-nodepool untaint node-1 dedicated-
      agtool ci-nodepool untaint -l pool=ci dedicated:NoSchedule
    """  # noqa: D301

    def wanted(specs: Sequence[str], found: Pool, _: Sequence[Node]) -> Wanted:
        if not specs:
            return Wanted(no_taints=(identity(_preset(found, "KEY:EFFECT").taint),))
        return Wanted(no_taints=tuple(map(parse.parse_taint_match, specs)))

    return _change("untaint", arguments, wanted, pool, change, cluster=cluster)


@grouped
def label(
    *,
    arguments: options.NodesAndSpecs = None,
    pool: options.ProviderOptions,
    overwrite: options.Overwrite = False,
    force: options.Force = False,
    change: options.ChangeOptions,
    cluster: ClusterOptions,
) -> Result[documents.NodesChanged]:
    """Label nodes, so that jobs can be sent there.

    SPEC is KEY=VALUE to add a label, and KEY- to remove one. Without SPEC it is the
    provider's label, for nodes that NODE or --selector chooses; without NODE, it is about the
    nodes that have such a label. The command asks first, unless the nodes are named.

    \b
    Examples:
      agtool ci-nodepool label node-1 node-2 pool=ci
      agtool ci-nodepool label -l cloud.google.com/gke-nodepool=spot pool=ci --dry-run
    """  # noqa: D301
    if not (arguments or pool.selector):
        raise UsageError(
            "without NODE, --selector or SPEC there is nothing to add: the nodes that are meant "
            "have the provider's label",
            hint="Add a label at the end, as KEY=VALUE, or choose other nodes.",
        )

    def wanted(specs: Sequence[str], found: Pool, _: Sequence[Node]) -> Wanted:
        if not specs:
            return Wanted(labels=(_preset(found, "KEY=VALUE").label,), overwrite=overwrite)
        labels = tuple(parse.parse_label(s) for s in specs if not parse.is_removal(s))
        gone = tuple(parse.parse_label_key(s) for s in specs if parse.is_removal(s))
        parse.check_distinct([*map(identity, labels), *gone])
        return Wanted(labels=labels, no_labels=gone, overwrite=overwrite)

    return _change("label", arguments, wanted, pool, change, cluster=cluster, force=force)


@grouped
def unlabel(
    *,
    arguments: options.NodesAndSpecs = None,
    pool: options.ProviderOptions,
    force: options.Force = False,
    change: options.ChangeOptions,
    cluster: ClusterOptions,
) -> Result[documents.NodesChanged]:
    """Remove a label from nodes, whoever added it.

    SPEC is KEY-. Without SPEC it is the provider's label; without NODE, the nodes that have
    such a label. The command refuses to leave the jobs of a GitLab runner without nodes. It asks
    first, unless the nodes are named.

    \b
    Examples:
      agtool ci-nodepool unlabel node-1 pool-
      agtool ci-nodepool unlabel -l pool=ci pool- --dry-run
    """  # noqa: D301

    def wanted(specs: Sequence[str], found: Pool, _: Sequence[Node]) -> Wanted:
        if not specs:
            return Wanted(no_labels=(identity(_preset(found, "KEY-").label),))
        return Wanted(no_labels=tuple(map(parse.parse_label_key, specs)))

    return _change("unlabel", arguments, wanted, pool, change, cluster=cluster, force=force)


def _preset(pool: Pool, form: str) -> Preset:
    if pool.preset is None:
        raise UsageError(
            "nothing says what to change, and the nodes do not have a provider's label",
            hint=f"Add it at the end, as {form}, or give --preset.",
        )
    return pool.preset


def _refuse_idle(wanted: Wanted, *, force: bool, skip_pods: bool) -> None:
    """Raise UsageError if an option could change nothing, whatever the nodes are like."""
    replaces = wanted.overwrite and (wanted.labels or wanted.taints)
    for option, given, effective, reason in (
        ("--overwrite", wanted.overwrite, replaces, "nothing is added"),
        ("--skip-pods", skip_pods, wanted.taints, "no taint is added"),
        (
            "--force",
            force,
            wanted.taints or wanted.no_labels or replaces,
            "no job can lose its nodes by this",
        ),
    ):
        if given and not effective:
            raise UsageError(f"{option} has no effect: {reason}", hint="Leave it out.")


def _change(
    command: str,
    arguments: Sequence[str] | None,
    wanted: Callable[[Sequence[str], Pool, Sequence[Node]], Wanted],
    asked: options.ProviderOptions,
    how: options.ChangeOptions,
    *,
    cluster: ClusterOptions,
    force: bool = False,
    skip_pods: bool = False,
) -> Result[documents.NodesChanged]:
    """Find the nodes, plan, ask, change them."""
    from agtool.ci_nodepool.cli.agree import agree
    from agtool.ci_nodepool.nodes import carry_out, plan_change
    from agtool.ci_nodepool.pool.find import find_pool
    from agtool.ci_nodepool.pool.write import CONNECTIONS
    from agtool.ci_nodepool.show.changes import nodes_document, nodes_view

    names, specs = parse.split_arguments(arguments)
    # What is wrong with them is said before the cluster is asked.
    _refuse_idle(wanted(specs, DEFAULT.pool, ()), force=force, skip_pods=skip_pods)
    chosen = asked.pool(names, given=specs)
    with cluster.session(connections=CONNECTIONS) as session:
        hint = "To remove a label or taint, write - at its end: KEY-"
        pool, nodes = find_pool(session, chosen, hint=hint)
        planned = partial(plan_node, wanted=wanted(specs, pool, nodes))
        change = plan_change(session, pool, nodes, planned, force=force, look_at_pods=not skip_pods)
        if agree(how, nodes=[change], named=bool(names)):
            change = carry_out(session, change)
    data = nodes_document([change], dry_run=how.dry_run)
    return finished(f"ci-nodepool {command}", data, nodes_view(change, command), [change])


def finished(
    command: str,
    data: Data,
    view: View,
    changes: Iterable[NodesChange],
    stopped: AgtoolError | None = None,
) -> Result[Data]:
    """What came of one step or more, and `stopped`: what kept us from going on after them."""
    from agtool.ci_nodepool.pool.write import failure

    reports = [change.report for change in changes if change.report]
    failures = (failure(report, command) for report in reports)
    errors = [error for error in (stopped, *failures) if error]
    interrupted = not errors and any(report.interrupted for report in reports)
    return Result(data, view, exit_code=INTERRUPTED if interrupted else 0, errors=errors)
