"""What does not fit together between pools, taints and runners. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from agtool.ci_nodepool import documents
from agtool.ci_nodepool.model import Jobs, Node, Taint, lasting_taints
from agtool.ci_nodepool.pool.fates import Affected
from agtool.ci_nodepool.pool.plan import owned
from agtool.ci_nodepool.presets import Pool, presets_on
from agtool.ci_nodepool.runner import settings
from agtool.ci_nodepool.runner.model import Runner
from agtool.ci_nodepool.runner.placement import CannotPatch
from agtool.ci_nodepool.runner.plan import manager_in_pool, stale_pods
from agtool.core.finding import Finding
from agtool.core.kube.session import Json
from agtool.core.text import count


@dataclass(frozen=True)
class PoolStatus:
    """A pool and its nodes.

    Attributes:
        affected: pods and DaemonSets that do not tolerate the pool's taints.
    """

    pool: Pool
    nodes: Sequence[Node]
    affected: Sequence[Affected] = ()

    @property
    def taints(self) -> Mapping[Taint, int]:
        """The taints that somebody gave the nodes, and how many have each."""
        return Counter(taint for node in self.nodes for taint in lasting_taints(node))

    def document(self) -> documents.PoolStatus:
        """For programs."""
        return documents.PoolStatus(
            self.pool.selector,
            self.pool.preset.name if self.pool.preset else None,
            {str(taint): number for taint, number in self.taints.items()},
            list(map(_node, self.nodes)),
            list(self.affected),
        )


def _node(node: Node) -> documents.Node:
    return documents.Node(
        node.name,
        node.created,
        node.ready,
        node.cordoned,
        list(map(str, lasting_taints(node))),
        list(map(str, owned(node.record))),
    )


WORST_FIRST = (
    "deadlock",
    "no-nodes",
    "no-ready-node",
    "blocked-nodes",
    "not-restarted",
    "wrong-knob",
    "manager-in-pool",
    "untainted-nodes",
    "open-pool",
    "not-sent",
    "jobs-may-leave",
    "doubt",
    "strangers",
    "daemonsets",
)
"""The codes of all problems; a stable part of the output for programs."""


def judge(
    pools: Sequence[PoolStatus],
    jobs: Sequence[Jobs],
    nodes: Sequence[Node],
    faults: Sequence[Finding] = (),
) -> list[Finding]:
    """What does not fit together, the worst first.

    Args:
        nodes: all of the cluster's.
        faults: of the runners themselves.
    """
    problems = [*_jobs_problems(pools, jobs, nodes), *faults]
    for pool in pools:
        problems += _pool_problems(pool, jobs)
    return sorted(problems, key=lambda problem: WORST_FIRST.index(problem.code))


def faults(
    runner: Runner, pods: Sequence[Json], on_pool_nodes: Sequence[str] = ()
) -> Iterator[Finding]:
    """What is wrong with a runner, apart from where its jobs go.

    Args:
        pods: of its manager.
        on_pool_nodes: the nodes of pools on which these are.
    """
    subject = runner.subject
    if on_pool_nodes:
        yield manager_in_pool(runner, f"runs on {', '.join(on_pool_nodes)}")
    for preset in presets_on([runner.pod.get("nodeSelector") or {}]):
        if preset.label.key not in settings.jobs(runner).selector:
            yield Finding(
                "wrong-knob",
                f"{preset.label} is in the nodeSelector of runner {runner} itself: that moves the "
                "runner, and not its jobs",
                "Remove it from the top-level nodeSelector in the Helm values; that of the jobs is "
                "in runners.config: agtool ci-nodepool emit helm",
                subject,
            )
    if runner.record and (stale := stale_pods(runner, pods)):
        yield Finding(
            "not-restarted",
            f"runner {runner} was changed after its pod {stale[0]} had started: the pod still uses "
            "the old configuration",
            f"Restart it: agtool ci-nodepool patch-runner --runner {runner}",
            subject,
        )
    with suppress(CannotPatch):  # shown as a doubt about where the jobs go
        yield from settings.ways_out(runner)


def _jobs_problems(
    pools: Sequence[PoolStatus], all_jobs: Sequence[Jobs], nodes: Sequence[Node]
) -> Iterator[Finding]:
    # The options that name the pool, where there is one and it is not found without them.
    unknown = [each.pool.options for each in pools if each.pool.preset is None]
    options = f" {unknown[0]}" if len(unknown) == len(pools) == 1 else ""
    for jobs in all_jobs:
        subject = jobs.subject
        selected = [node for node in nodes if jobs.selects(node.labels)]
        blocked = [n for n in selected if not all(map(jobs.tolerates, lasting_taints(n)))]
        if jobs.doubt:
            message = f"it is not certain where jobs of runner {jobs.runner} go: {jobs.doubt}"
            yield Finding("doubt", message, "", subject)
        if not jobs.selector:
            if pools:
                yield Finding(
                    "not-sent",
                    f"jobs of runner {jobs.runner} are sent to any node, not to a pool",
                    f"agtool ci-nodepool apply{options} --runner {jobs.runner}",
                    subject,
                )
        elif not selected:
            yield Finding(
                "no-nodes",
                f"jobs of runner {jobs.runner} are sent to nodes with {jobs.selector_text}, and "
                "there are none",
                "This is normal for a pool that scales from zero; otherwise the jobs wait for "
                "ever. Look at the labels of your nodes: kubectl get nodes --show-labels",
                subject,
            )
        elif blocked:
            taint = next(t for t in lasting_taints(blocked[0]) if not jobs.tolerates(t))
            everywhere = len(blocked) == len(selected)
            yield Finding(
                "deadlock" if everywhere else "blocked-nodes",
                f"jobs of runner {jobs.runner} do not tolerate {taint}, which "
                + (
                    "all their nodes have: they wait for ever"
                    if everywhere
                    else f"{len(blocked):,} of their {len(selected):,} nodes have"
                ),
                f"agtool ci-nodepool patch-runner --runner {jobs.runner} -l {jobs.selector_text} "
                f"--taint {taint}",
                subject,
            )


def _pool_problems(status: PoolStatus, jobs: Sequence[Jobs]) -> Iterator[Finding]:
    nodes, pool = status.nodes, status.pool
    subject = str(pool)
    if nodes and not any(node.ready and not node.cordoned for node in nodes):
        yield Finding(
            "no-ready-node",
            f"none of the {pool} is ready",
            f"Look at them: kubectl get nodes -l {pool.selector}",
            subject,
        )
    for taint, number in status.taints.items():
        if number < len(nodes):
            yield Finding(
                "untainted-nodes",
                f"{len(nodes) - number:,} of {len(nodes):,} {pool} lack {taint}; nodes that were "
                "created anew come without it",
                f"agtool ci-nodepool taint {pool.options} {taint}\n"
                "To keep it on new nodes too: agtool ci-nodepool watch",
                subject,
            )
    runner = next((j.runner for j in jobs if any(j.selects(n.labels) for n in nodes)), "")
    if runner and not status.taints:
        yield Finding(
            "open-pool",
            f"{pool} have no taint: other pods than jobs can run there",
            f"agtool ci-nodepool apply {pool.options} --runner {runner}",
            subject,
        )
    if pods := [each for each in status.affected if each.kind == "Pod"]:
        yield Finding(
            "strangers",
            f"{count(len(pods), 'pod')} on the {pool}, or waiting for them, "
            f"{'does' if len(pods) == 1 else 'do'} not tolerate their taints",
            "A pod that runs stays until it ends. To move one that a controller creates anew "
            "elsewhere: kubectl delete pod NAME",
            subject,
        )
    if daemonsets := [str(each) for each in status.affected if each.kind == "DaemonSet"]:
        yield Finding(
            "daemonsets",
            f"new {pool} would be without these DaemonSets: {', '.join(daemonsets)}",
            "Give them a toleration, if they are needed there.",
            subject,
        )
