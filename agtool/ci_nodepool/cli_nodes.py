"""The commands that change nodes: parse, wire, hand the result on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agtool.ci_nodepool.options import ChangeOptions, Cluster, PoolOptions
from agtool.core.errors import INTERRUPTED, AgtoolError, UsageError
from agtool.core.option_groups import grouped
from agtool.core.output import Format, document, errors_as_json, print_json, print_text

if TYPE_CHECKING:
    from agtool.ci_nodepool.model import Node
    from agtool.ci_nodepool.nodes import Pool
    from agtool.ci_nodepool.plan import Wanted
    from agtool.ci_nodepool.presets import Preset
    from agtool.ci_nodepool.run import Manner, Result

NodesAndSpecs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NODE]... [SPEC]...", help="Nodes by name, and what is meant.", show_default=False
    ),
]

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Also where there is another value.")]

NodeNames = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NODE]...", help="Nodes by name.", show_default=False),
]

Force = Annotated[
    bool, typer.Option("--force", help="Also when a runner's jobs would wait for ever.")
]

SkipPods = Annotated[
    bool,
    typer.Option("--skip-pods", help="Do not look at who is affected, which lists all pods."),
]


@grouped
def taint(
    *,
    arguments: NodesAndSpecs = None,
    pool: PoolOptions,
    overwrite: Overwrite = False,
    force: Force = False,
    skip_pods: SkipPods = False,
    change: ChangeOptions,
    cluster: Cluster,
) -> int:
    """Taint nodes, so that only pods which tolerate it come there.

    SPEC is KEY=VALUE:EFFECT or KEY:EFFECT, and KEY- or KEY:EFFECT- to remove. By default
    it is the taint that goes with the provider's label. It is refused when the jobs of a
    GitLab runner are sent to these nodes and do not tolerate it.

    \b
    Examples:
      agtool ci-nodepool taint --dry-run
      agtool ci-nodepool taint --preset gke-spot --yes
      agtool ci-nodepool taint node-1 node-2 dedicated=ci:NoSchedule
      agtool ci-nodepool taint -l pool=ci dedicated=ci:NoSchedule old-key-
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    from agtool.ci_nodepool import parse
    from agtool.ci_nodepool.nodes import default_taints
    from agtool.ci_nodepool.plan import Wanted
    from agtool.ci_nodepool.run import Manner

    def wanted(specs: tuple[str, ...], found: Pool, nodes: Sequence[Node]) -> Wanted:
        if not specs:
            _preset(found, "KEY=VALUE:EFFECT")
            return Wanted(taints=default_taints(found, nodes), overwrite=overwrite)
        taints = tuple(parse.parse_taint(s) for s in specs if not parse.is_removal(s))
        gone = tuple(parse.parse_taint_match(s) for s in specs if parse.is_removal(s))
        parse.check_distinct([*taints, *gone])
        return Wanted(taints=taints, no_taints=gone, overwrite=overwrite)

    manner = Manner(*change, force=force, look_at_pods=not skip_pods)
    return _change("taint", arguments, wanted, options=pool, manner=manner, cluster=cluster)


@grouped
def untaint(
    *,
    arguments: NodesAndSpecs = None,
    pool: PoolOptions,
    change: ChangeOptions,
    cluster: Cluster,
) -> int:
    """Remove a taint from nodes, whoever added it.

    SPEC is KEY:EFFECT, or KEY- for all effects. By default it is the taint that goes with
    the provider's label. A taint that is not there is no error.

    \b
    Examples:
      agtool ci-nodepool untaint --dry-run
      agtool ci-nodepool untaint node-1 dedicated-
      agtool ci-nodepool untaint -l pool=ci dedicated:NoSchedule
    """  # noqa: D301
    from agtool.ci_nodepool import parse
    from agtool.ci_nodepool.plan import Wanted
    from agtool.ci_nodepool.run import Manner

    def wanted(specs: tuple[str, ...], found: Pool, _: Sequence[Node]) -> Wanted:
        if not specs:
            taint = _preset(found, "KEY:EFFECT").taint
            return Wanted(no_taints=(parse.TaintMatch(taint.key, taint.effect),))
        return Wanted(no_taints=tuple(map(parse.parse_taint_match, specs)))

    return _change(
        "untaint", arguments, wanted, options=pool, manner=Manner(*change), cluster=cluster
    )


@grouped
def label(
    *,
    arguments: NodesAndSpecs = None,
    pool: PoolOptions,
    overwrite: Overwrite = False,
    force: Force = False,
    change: ChangeOptions,
    cluster: Cluster,
) -> int:
    """Label nodes, so that jobs can be sent there.

    SPEC is KEY=VALUE, and KEY- to remove. By default it is the provider's label.

    \b
    Examples:
      agtool ci-nodepool label node-1 node-2 pool=ci
      agtool ci-nodepool label -l cloud.google.com/gke-nodepool=spot pool=ci --dry-run
    """  # noqa: D301
    from agtool.ci_nodepool import parse
    from agtool.ci_nodepool.plan import Wanted
    from agtool.ci_nodepool.run import Manner

    def wanted(specs: tuple[str, ...], found: Pool, _: Sequence[Node]) -> Wanted:
        if not specs:
            return Wanted(labels=(_preset(found, "KEY=VALUE").label,), overwrite=overwrite)
        labels = tuple(parse.parse_label(s) for s in specs if not parse.is_removal(s))
        gone = tuple(parse.parse_label_key(s) for s in specs if parse.is_removal(s))
        parse.check_distinct([*labels, *gone])
        return Wanted(labels=labels, no_labels=gone, overwrite=overwrite)

    return _change(
        "label",
        arguments,
        wanted,
        options=pool,
        manner=Manner(*change, force=force),
        cluster=cluster,
    )


@grouped
def unlabel(
    *,
    arguments: NodesAndSpecs = None,
    pool: PoolOptions,
    force: Force = False,
    change: ChangeOptions,
    cluster: Cluster,
) -> int:
    """Remove a label from nodes, whoever added it.

    SPEC is KEY-. By default it is the provider's label. It is refused when it would leave
    the jobs of a GitLab runner without any node to be sent to.

    \b
    Examples:
      agtool ci-nodepool unlabel node-1 pool-
      agtool ci-nodepool unlabel -l pool=ci pool- --dry-run
    """  # noqa: D301
    from agtool.ci_nodepool import parse
    from agtool.ci_nodepool.plan import Wanted
    from agtool.ci_nodepool.run import Manner

    def wanted(specs: tuple[str, ...], found: Pool, _: Sequence[Node]) -> Wanted:
        if not specs:
            return Wanted(no_labels=(_preset(found, "KEY-").label.key,))
        return Wanted(no_labels=tuple(map(parse.parse_label_key, specs)))

    return _change(
        "unlabel",
        arguments,
        wanted,
        options=pool,
        manner=Manner(*change, force=force),
        cluster=cluster,
    )


def _preset(pool: Pool, form: str) -> Preset:
    if pool.preset is None:
        raise UsageError(
            "nothing says what to change, and the nodes carry no provider's label",
            hint=f"Add it at the end, as {form}, or give --preset.",
        )
    return pool.preset


def _change(
    command: str,
    arguments: list[str] | None,
    wanted: Callable[[tuple[str, ...], Pool, Sequence[Node]], Wanted],
    *,
    options: PoolOptions,
    manner: Manner,
    cluster: Cluster,
) -> int:
    """Find the nodes, change them, print what became of them; the exit code."""
    from agtool.ci_nodepool import parse
    from agtool.ci_nodepool.nodes import Pool, find_pool
    from agtool.ci_nodepool.plan import plan_node
    from agtool.ci_nodepool.run import change_nodes
    from agtool.ci_nodepool.show import result_text
    from agtool.ci_nodepool.write import CONNECTIONS

    with errors_as_json(f"ci-nodepool {command}", manner.output is Format.json):
        names, specs = parse.split_arguments(arguments or [])
        if specs:
            wanted(specs, Pool(), ())  # what is wrong with it is said before the cluster is asked
        with cluster.session(CONNECTIONS) as session:
            pool, nodes = find_pool(session, names, options)
            what = wanted(specs, pool, nodes)
            result = change_nodes(
                session, pool, nodes, lambda node: plan_node(node, what), manner=manner
            )
    tell(result_text(result, command), manner.output)
    return finish(f"ci-nodepool {command}", [result], manner.output)


def tell(text: str, output: Format) -> None:
    """Print what was done, to a person, as soon as it was: what comes next may fail."""
    if output is Format.table and text:
        print_text(text)


def finish(
    command: str,
    results: Sequence[Result],
    output: Format,
    more: Mapping[str, Any] | None = None,
    stopped: AgtoolError | None = None,
) -> int:
    """The exit code of what came of one step or more; printed for programs, with `more`.

    Args:
        stopped: what kept us from going on after these steps.

    Raises that, or the first error of a node, unless it was printed.
    """
    from agtool.ci_nodepool.show import result_data
    from agtool.ci_nodepool.write import failure

    reports = [result.report for result in results if result.report]
    of_nodes = (failure(report, f"agtool {command}") for report in reports)
    errors = [error for error in (stopped, *of_nodes) if error]
    interrupted = any(report.interrupted for report in reports)
    code = errors[0].exit_code if errors else INTERRUPTED if interrupted else 0
    if output is Format.json:
        data = {**result_data(results), **(more or {})}
        print_json(document(command, exit_code=code, data=data, errors=errors))
    elif errors:
        raise errors[0]
    return code
