"""`agtool ci-nodepool watch`: parse, wire, run until it is stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from agtool.ci_nodepool import parse
from agtool.ci_nodepool.cli import options
from agtool.ci_nodepool.model import identity
from agtool.ci_nodepool.pool.plan import Wanted, plan_node
from agtool.ci_nodepool.presets import default_taints
from agtool.core.command import Result
from agtool.core.errors import UsageError
from agtool.core.options import ClusterOptions, grouped


@grouped
def watch(
    *,
    specs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SPEC]...", help="Labels and taints to keep.", show_default=False),
    ] = None,
    pool: options.ProviderOptions,
    overwrite: options.Overwrite = False,
    listen: Annotated[
        str | None,
        options.text(
            "ADDRESS:PORT",
            "Answer requests for /readyz, /healthz and /metrics here. Without ADDRESS: at all "
            "addresses of this host.  [default: do not]",
        ),
    ] = None,
    cluster: ClusterOptions,
) -> Result[None]:
    """Keep labels and taints on old and new nodes.

    A provider replaces preemptible nodes every day, and new nodes come without the labels and
    taints that somebody gave the old ones. SPEC is KEY=VALUE for a label, KEY=VALUE:EFFECT for
    a taint; without SPEC it is the taint that goes with the provider's label. By default the
    nodes are those with a provider's label. The command runs until it is stopped. It is
    harmless if it runs twice.

    \b
    Examples:
      agtool ci-nodepool watch
      agtool ci-nodepool watch -l pool=ci dedicated=ci:NoSchedule
      agtool ci-nodepool watch --preset gke-spot --listen :8080
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    from contextlib import ExitStack

    from agtool.ci_nodepool.watch.health import Page, serve
    from agtool.ci_nodepool.watch.keep import State, Stopped, keep, stoppable, wait_for_pool
    from agtool.ci_nodepool.watch.reconcile import THREADS
    from agtool.core.output import say

    given = _given(specs, overwrite=overwrite) if specs else None
    kept = pool.pool(given=specs or ())
    state = State()
    with ExitStack() as stack:
        if listen:
            answers: dict[str, Callable[[], str] | Page] = {
                "/readyz": state.not_ready,
                "/healthz": state.not_alive,
                "/metrics": Page(state.metrics.text),
            }
            stack.enter_context(serve(listen, answers))
        # Short patience: what cannot be reached is tried again here, and told.
        session = stack.enter_context(cluster.session(connections=THREADS + 1, patience=2.0))
        try:
            with stoppable():
                if not kept.selector:
                    kept = wait_for_pool(session, state, say)
                wanted = given or Wanted(taints=default_taints(kept, ()), overwrite=overwrite)
                if not (wanted.labels or wanted.taints):
                    raise UsageError(
                        "there is nothing to keep: the provider taints these nodes by itself",
                        hint="Add what to keep at the end: KEY=VALUE:EFFECT or KEY=VALUE.",
                    )
                say(f"keeping {', '.join(map(str, (*wanted.labels, *wanted.taints)))} on {kept}")
                keep(session, kept.selector, lambda node: plan_node(node, wanted), state, say)
        except Stopped:
            say("stopped by SIGTERM")
    return Result(None)


def _given(specs: list[str], *, overwrite: bool) -> Wanted:
    if removal := next(filter(parse.is_removal, specs), None):
        raise UsageError(
            f"{removal!r} removes a label or taint, and watch only keeps them",
            hint="Use untaint or unlabel.",
        )
    labels = tuple(parse.parse_label(spec) for spec in specs if ":" not in spec)
    taints = tuple(parse.parse_taint(spec) for spec in specs if ":" in spec)
    parse.check_distinct(map(identity, labels))
    parse.check_distinct(map(identity, taints))
    return Wanted(labels, taints, overwrite=overwrite)
