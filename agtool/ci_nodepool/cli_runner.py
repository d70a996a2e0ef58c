"""The commands about the runner: parse, wire, hand the result on."""

from __future__ import annotations

from typing import Annotated

import typer

from agtool.ci_nodepool.options import ChangeOptions, Cluster, PoolOptions, not_empty
from agtool.core.option_groups import grouped
from agtool.core.output import Format, document, errors_as_json, print_json, print_text

RunnerName = Annotated[
    str | None,
    typer.Option(
        "--runner",
        metavar="NAMESPACE/NAME",
        help="The runner's Deployment.  [default: the only one]",
        callback=not_empty,
    ),
]

Taints = Annotated[
    list[str] | None,
    typer.Option(
        "--taint",
        metavar="KEY=VALUE:EFFECT",
        help="A taint that jobs shall tolerate; may be repeated.  [default: the one that goes with "
        "the label]",
    ),
]

Timeout = Annotated[
    int,
    typer.Option(
        metavar="SECONDS", min=1, help="Put back the old template if the runner is not up by then."
    ),
]


@grouped
def patch_runner(  # noqa: PLR0917  # Typer's way: a parameter is an option
    cluster: Cluster,
    pool: PoolOptions,
    how: ChangeOptions,
    runner: RunnerName = None,
    taint: Taints = None,
    timeout: Timeout = 600,
    force: Annotated[
        bool, typer.Option("--force", help="Also when no node could take the jobs now.")
    ] = False,
) -> int:
    """Send a GitLab runner's jobs to the pool.

    Adds the nodes' label to the jobs' node selector, and a toleration of their taint,
    in the template that the runner registers with. The runner itself stays where it
    is. It is restarted; jobs that run end in peace. If it does not come up, the old
    template is put back.

    \b
    Examples:
      agtool ci-nodepool patch-runner --dry-run
      agtool ci-nodepool patch-runner --runner gitlab/gitlab-runner --preset gke-spot
      agtool ci-nodepool patch-runner -l pool=ci --taint dedicated=ci:NoSchedule --yes
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    from agtool.ci_nodepool.parse import parse_taint
    from agtool.ci_nodepool.runner_run import Manner, find_target, patch
    from agtool.ci_nodepool.runner_show import patch_data, patch_text

    as_json = how.output is Format.json
    with errors_as_json("ci-nodepool patch-runner", as_json):
        taints = [parse_taint(each) for each in taint or ()]
        manner = Manner(how.dry_run, how.yes, force, timeout, how.output)
        with cluster.session() as session:
            target = find_target(session, pool, taints, may_be_empty=force)
            result = patch(session, runner, cluster.namespace, target, manner)
    if as_json:
        print_json(document("ci-nodepool patch-runner", data=patch_data(result)))
    else:
        print_text(patch_text(result))
    return 0
