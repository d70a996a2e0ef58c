"""`agtool ci-nodepool patch-runner`: parse, wire, hand the result on."""

from __future__ import annotations

from agtool.ci_nodepool import documents
from agtool.ci_nodepool.cli import options
from agtool.core.command import Result
from agtool.core.options import ClusterOptions, grouped


@grouped
def patch_runner(
    *,
    pool: options.PoolOptions,
    runner: options.RunnerName = None,
    taint: options.Taints = None,
    timeout: options.Timeout = 600.0,
    force: options.Force = False,
    change: options.ChangeOptions,
    namespace: options.RunnersNamespace = None,
    cluster: ClusterOptions,
) -> Result[documents.JobsSent]:
    """Send the jobs of a GitLab runner to the pool.

    Adds the nodes' label to the node selector of the jobs, and a toleration of the nodes'
    taint, in the template with which the runner registers. By default the nodes are those with
    a provider's label. The runner itself stays where it is. It is restarted; jobs that run are
    not interrupted. If the runner does not come up, the old template is put back.

    \b
    Examples:
      agtool ci-nodepool patch-runner --dry-run
      agtool ci-nodepool patch-runner --runner gitlab/gitlab-runner --preset gke-spot
      agtool ci-nodepool patch-runner -l pool=ci --taint dedicated=ci:NoSchedule --yes
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    from agtool.ci_nodepool.cli.agree import agree
    from agtool.ci_nodepool.jobs import carry_out, plan_jobs
    from agtool.ci_nodepool.parse import parse_taint
    from agtool.ci_nodepool.pool.find import find_pool
    from agtool.ci_nodepool.runner.placement import placement
    from agtool.ci_nodepool.show.runner import document_sent, view_sent
    from agtool.core.live import Live

    taints = [parse_taint(each) for each in taint or ()]
    with cluster.session(namespace=namespace) as session, Live() as live:
        found, nodes = find_pool(session, pool.pool(), may_be_empty=force)
        wanted = placement(found, taints)
        sent = plan_jobs(session, runner, namespace, wanted, nodes, force=force)
        if agree(change, runners=[sent], named=runner is not None):
            sent = carry_out(session, sent, timeout=timeout, live=live)
    dry_run = change.dry_run
    return Result(document_sent(sent, dry_run=dry_run), view_sent(sent, dry_run=dry_run))
