"""`agtool ci-nodepool status`: parse, wire, hand the result on."""

from __future__ import annotations

from typing import Annotated

from agtool.ci_nodepool import documents
from agtool.ci_nodepool.cli import options
from agtool.core.command import Format, Result
from agtool.core.options import ClusterOptions, Output, flag, grouped


@grouped
def status(
    *,
    pool: options.PoolOptions,
    skip_pods: options.SkipPods = False,
    jobs: Annotated[
        bool,
        flag(
            "Count the jobs of each pool: those that run and wait, and those lost in the last "
            "hour.",
            "--jobs",
        ),
    ] = False,
    output: Output = Format.table,  # noqa: ARG001  # read by the frame
    namespace: options.RunnersNamespace = None,
    cluster: ClusterOptions,
) -> Result[documents.Status]:
    """Show pools and runners, and what does not fit together.

    Shows each pool, or the one that is named, its taints, the pods that do not tolerate them,
    and the runners whose jobs are sent there. The exit code is 0 if everything fits
    together, and 1 if not.

    \b
    Examples:
      agtool ci-nodepool status
      agtool ci-nodepool status -l pool=ci --output json
      agtool ci-nodepool status --jobs
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    from agtool.ci_nodepool.pool.write import CONNECTIONS
    from agtool.ci_nodepool.show.status import view
    from agtool.ci_nodepool.status.look import find_status

    asked = pool.pool()
    with cluster.session(namespace=namespace, connections=CONNECTIONS) as session:
        data = find_status(session, asked, namespace, look_at_pods=not skip_pods, count=jobs)
    return Result(data, view(data), exit_code=1 if data.problems else 0)
