"""`agtool ci-nodepool watch`: parse, wire, run until told to end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agtool.ci_nodepool.cli_nodes import Overwrite
from agtool.ci_nodepool.options import Cluster, PoolOptions
from agtool.core.errors import UsageError
from agtool.core.option_groups import grouped
from agtool.core.output import say

if TYPE_CHECKING:
    from agtool.ci_nodepool.nodes import Pool
    from agtool.ci_nodepool.plan import Wanted
    from agtool.core.kube.session import Session


@grouped
def watch(
    *,
    specs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SPEC]...", help="Labels and taints to keep.", show_default=False),
    ] = None,
    pool: PoolOptions,
    overwrite: Overwrite = False,
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="[ADDRESS]:PORT",
            help="Answer /readyz and /healthz there.  [default: nowhere]",
        ),
    ] = None,
    cluster: Cluster,
) -> int:
    """Keep a pool's nodes labelled and tainted, new ones too.

    Nodes of a preemptible pool are made anew every day, and come without what kubectl
    gave the old ones. SPEC is KEY=VALUE for a label, KEY=VALUE:EFFECT for a taint; by
    default the taint that goes with the provider's label. It may run twice: neither does
    harm to the other.

    \b
    Examples:
      agtool ci-nodepool watch
      agtool ci-nodepool watch -l pool=ci dedicated=ci:NoSchedule
      agtool ci-nodepool watch --preset gke-spot --listen :8080
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    from contextlib import ExitStack

    from agtool.ci_nodepool.health import serve
    from agtool.ci_nodepool.plan import plan_node
    from agtool.ci_nodepool.reconcile import THREADS
    from agtool.ci_nodepool.watch import State, Stopped, keep

    given = _given(specs or [], overwrite=overwrite)
    state = State()
    with ExitStack() as stack:
        if listen:
            answers = {
                "/readyz": state.not_ready,
                "/healthz": lambda: "" if state.alive() else "the watch hangs",
            }
            stack.enter_context(serve(listen, answers))
        # Short patience: what cannot be reached is tried again here, and told.
        session = stack.enter_context(cluster.session(THREADS + 1, patience=2.0))
        where = _pool(session, pool)
        wanted = given or _default(where, overwrite=overwrite)
        if not (wanted.labels or wanted.taints):
            raise UsageError(
                "there is nothing to keep: the provider taints these nodes by itself",
                hint="Add what shall be kept at the end: KEY=VALUE:EFFECT or KEY=VALUE.",
            )
        say(f"keeps {', '.join(map(str, (*wanted.labels, *wanted.taints)))} on {where}")
        try:
            keep(session, where.selector, lambda node: plan_node(node, wanted), state, say)
        except Stopped:
            say("told to end")
    return 0


def _given(specs: list[str], *, overwrite: bool) -> Wanted | None:
    from agtool.ci_nodepool import parse
    from agtool.ci_nodepool.plan import Wanted

    if not specs:
        return None
    if removal := next(filter(parse.is_removal, specs), None):
        raise UsageError(f"{removal!r} removes, and watch only keeps", hint="Use untaint, unlabel.")
    labels = tuple(parse.parse_label(spec) for spec in specs if ":" not in spec)
    taints = tuple(parse.parse_taint(spec) for spec in specs if ":" in spec)
    parse.check_distinct(labels)
    parse.check_distinct(taints)
    return Wanted(labels, taints, overwrite=overwrite)


def _default(where: Pool, *, overwrite: bool) -> Wanted:
    from agtool.ci_nodepool.nodes import default_taints
    from agtool.ci_nodepool.plan import Wanted

    return Wanted(taints=default_taints(where, ()), overwrite=overwrite)


def _pool(session: Session, options: PoolOptions) -> Pool:
    """The pool, which may have no nodes at the moment."""
    from agtool.ci_nodepool.nodes import NoNodes, Pool, find_pool
    from agtool.ci_nodepool.presets import DEFAULT, PRESETS

    preset = PRESETS[options.preset.value] if options.preset else None
    if options.selector:
        return Pool((), options.selector, preset)
    if preset is None:
        try:
            return find_pool(session, (), options)[0]
        except NoNodes:
            preset = DEFAULT
    return Pool((), str(preset.label), preset)
