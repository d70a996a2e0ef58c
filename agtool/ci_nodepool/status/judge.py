"""What does not fit together between pools, taints and runners. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from shlex import quote

from agtool.ci_nodepool import documents
from agtool.ci_nodepool.model import Node, Taint
from agtool.ci_nodepool.pool.fates import Affected
from agtool.ci_nodepool.pool.plan import owned
from agtool.ci_nodepool.presets import Pool, own_taints, presets_on
from agtool.ci_nodepool.runner.jobs import Jobs, none_takes
from agtool.ci_nodepool.runner.model import Runner
from agtool.ci_nodepool.runner.plan import manager_in_pool, stale_pods
from agtool.ci_nodepool.runner.read import jobs as jobs_of
from agtool.ci_nodepool.scheduling import selectors, time_to_eviction, wished, wishes
from agtool.ci_nodepool.taints import lasting_taints, passing, passing_taints
from agtool.core.finding import Finding
from agtool.core.kube.session import Json
from agtool.core.text import count


@dataclass(frozen=True)
class PoolStatus:
    """A pool and its nodes.

    Attributes:
        affected: pods and DaemonSets that do not tolerate the pool's taints.
        jobs: how many it has; None: not counted.
    """

    pool: Pool
    nodes: Sequence[Node]
    affected: Sequence[Affected] = ()
    jobs: documents.JobCounts | None = None

    @property
    def taints(self) -> Mapping[Taint, int]:
        """The taints that somebody gave the nodes, and how many have each."""
        return Counter(taint for node in self.nodes for taint in lasting_taints(node))

    @property
    def own(self) -> list[Taint]:
        """The taints that make the pool."""
        ours = (each for node in self.nodes for each in owned(node.record))
        return own_taints(self.pool, self.nodes, (t for t in ours if isinstance(t, Taint)))

    def document(self) -> documents.PoolStatus:
        """For programs."""
        passing_by = Counter(taint for node in self.nodes for taint in passing_taints(node))
        return documents.PoolStatus(
            self.pool.selector,
            self.pool.preset.name if self.pool.preset else None,
            {str(taint): number for taint, number in self.taints.items()},
            list(map(_node, self.nodes)),
            list(self.affected),
            [_passing(taint, number) for taint, number in passing_by.items()],
            [preset.name for preset in presets_on(node.labels for node in self.nodes)],
            self.jobs,
        )


def _passing(taint: Taint, number: int) -> documents.PassingTaint:
    why = passing(taint.key)
    text = f"the node {why.state}, says {why.owner}" if why else ""
    return documents.PassingTaint(str(taint), number, text)


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
    "jobs-fail",
    "deadlock",
    "no-nodes",
    "no-ready-node",
    "blocked-nodes",
    "jobs-evicted",
    "ignored-setting",
    "lost-tolerations",
    "not-restarted",
    "wrong-knob",
    "manager-in-pool",
    "untainted-nodes",
    "some-tainted",
    "open-pool",
    "not-sent",
    "vain-wish",
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
    problems = [*faults]
    for own in jobs:
        problems += jobs_problems(pools, own, nodes)
    for pool in pools:
        problems += _pool_problems(pool, jobs)
    return sorted(dict.fromkeys(problems), key=lambda problem: WORST_FIRST.index(problem.code))


def faults(
    runner: Runner, pods: Sequence[Json], on_pool_nodes: Sequence[str] = ()
) -> Iterator[Finding]:
    """What is wrong with a runner, apart from where its jobs go.

    Args:
        pods: of its manager.
        on_pool_nodes: the nodes of pools on which these are.
    """
    subject = runner.subject
    own = jobs_of(runner)
    for each in own:
        yield from each.findings()
    if on_pool_nodes:
        yield manager_in_pool(runner, f"runs on {', '.join(on_pool_nodes)}")
    for preset in presets_on([runner.pod.get("nodeSelector") or {}]):
        if not any(preset.label.key in each.selector for each in own):
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


def jobs_problems(
    pools: Sequence[PoolStatus], own: Jobs, nodes: Sequence[Node]
) -> Iterator[Finding]:
    """What does not fit together between jobs and nodes, whatever the settings say.

    Args:
        nodes: all of the cluster's.
    """
    subject = own.subject
    if own.pod.fails:
        yield Finding(
            "jobs-fail",
            f"every job of {own} fails: {own.pod.fails}",
            "Correct that in the runner's configuration.",
            subject,
        )
        return
    if own.doubts:  # what is known of the pod may not be all that decides
        for doubt in own.doubts:
            message = f"it is not certain where jobs of {own} go: {doubt}"
            yield Finding("doubt", message, "", subject)
        return
    possible = [node for node in nodes if own.may_run_on(node)]
    blocked = [node for node in possible if own.blocking(node)]
    members = {node.name for pool in pools for node in pool.nodes}
    wish = wished(own.spec)
    if not own.ask_for_nodes and not wish and pools:
        yield _not_sent(pools, own)
    elif own.ask_for_nodes and not possible:
        yield Finding(
            "no-nodes",
            f"jobs of {own} are sent to {own.where}, and {none_takes(own, nodes)}",
            "This is normal for a pool that scales from zero; otherwise the jobs wait for "
            "ever. Look at the labels of your nodes: kubectl get nodes --show-labels",
            subject,
        )
    elif blocked and (own.ask_for_nodes or len(blocked) == len(possible)):
        yield _blocked(own, possible, blocked, pools)
    else:
        yield from _vain_wish(own, [node for node in possible if own.prefer(node)])
    yield from _evicted(own, [node for node in possible if node.name in members])


def _vain_wish(own: Jobs, preferred: Sequence[Node]) -> Iterator[Finding]:
    """A wish for nodes that the jobs cannot run on."""
    if not preferred or any(map(own.run_on, preferred)):
        return
    taints = _common(own, preferred) or own.blocking(preferred[0])
    yield Finding(
        "vain-wish",
        f"jobs of {own} would rather run on nodes with {wished(own.spec)}, and do not tolerate "
        f"{taints[0]}, which these have: they all run elsewhere",
        f"{_patch(own, wishes(own.spec), taints)} --prefer",
        own.subject,
    )


def _not_sent(pools: Sequence[PoolStatus], own: Jobs) -> Finding:
    # The options that name the pool, where there is one and it is not found without them.
    unknown = [each.pool.options for each in pools if each.pool.preset is None]
    options = f" {unknown[0]}" if len(unknown) == len(pools) == 1 else ""
    return Finding(
        "not-sent",
        f"jobs of {own} are sent to any node, not to a pool",
        f"agtool ci-nodepool apply{options} --runner {own.runner}",
        own.subject,
    )


def _blocked(
    own: Jobs, possible: Sequence[Node], blocked: Sequence[Node], pools: Sequence[PoolStatus]
) -> Finding:
    everywhere = len(blocked) == len(possible)
    common = _common(own, blocked if everywhere else possible)
    first = (common or own.blocking(blocked[0]))[0]
    known = {taint for pool in pools for taint in pool.own}
    proposed = common or [taint for taint in own.blocking(blocked[0]) if taint in known]
    if everywhere and not common:
        proposed = list(dict.fromkeys(taint for node in blocked for taint in own.blocking(node)))
    hint = (
        _patch(own, selectors(own.spec), proposed)
        if proposed
        else "Jobs run on the other nodes. If these belong to the pool too, let jobs tolerate the "
        "taint; if not, give the nodes another label."
    )
    which = f"{len(blocked):,} of their {len(possible):,} nodes have"
    if everywhere:
        which = (
            "all their nodes have" if common else "some of their nodes have, and the rest others"
        )
    return Finding(
        "deadlock" if everywhere else "blocked-nodes",
        f"jobs of {own} do not tolerate {first}, which {which}"
        + (": they wait for ever" if everywhere else ""),
        hint,
        own.subject,
    )


def _common(own: Jobs, nodes: Sequence[Node]) -> list[Taint]:
    """The taints against the jobs that all of these nodes have."""
    each = [own.blocking(node) for node in nodes]
    return [taint for taint in (each[0] if each else ()) if all(taint in own for own in each)]


def _patch(own: Jobs, asked: Sequence[str], taints: Iterable[Taint]) -> str:
    """The command after which jobs tolerate the taints, and go where they went before."""
    more = "".join(f" --taint {quote(str(taint))}" for taint in taints)
    where = f" -l {quote(asked[0])}" if asked else ""
    return f"agtool ci-nodepool patch-runner --runner {own.runner}{where}{more}"


def _evicted(own: Jobs, nodes: Sequence[Node]) -> Iterator[Finding]:
    """Jobs that a NoExecute taint lets in, and puts out after a while."""
    for node in nodes:
        seconds = time_to_eviction(own.spec, lasting_taints(node))
        if seconds and own.run_on(node):
            yield Finding(
                "jobs-evicted",
                f"jobs of {own} tolerate a NoExecute taint of {node.name} for {seconds} s only: "
                "they are then evicted",
                "Remove tolerationSeconds from the toleration in pod_spec.",
                own.subject,
            )
            return


def _pool_problems(status: PoolStatus, jobs: Sequence[Jobs]) -> Iterator[Finding]:
    nodes, pool = status.nodes, status.pool
    subject = str(pool)
    if nodes and not any(node.ready and not node.cordoned for node in nodes):
        yield Finding(
            "no-ready-node",
            f"none of the {pool} is ready",
            f"Look at them: kubectl get nodes -l {quote(pool.selector)}",
            subject,
        )
    for taint, number in status.taints.items():
        if number < len(nodes):
            yield _not_on_all(status, taint, number)
    runners = [j.runner for j in jobs if any(j.selects(n) for n in nodes)]
    if runners and not status.taints:
        names = " ".join(f"--runner {name}" for name in dict.fromkeys(runners))
        yield Finding(
            "open-pool",
            f"{pool} have no taint: other pods than jobs can run there",
            f"agtool ci-nodepool apply {pool.options} {names}",
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


def _not_on_all(status: PoolStatus, taint: Taint, number: int) -> Finding:
    nodes, pool = status.nodes, status.pool
    if taint in status.own:
        return Finding(
            "untainted-nodes",
            f"{len(nodes) - number:,} of {len(nodes):,} {pool} lack {taint}; nodes that were "
            "created anew come without it",
            f"agtool ci-nodepool taint {pool.options} {taint}\n"
            "To keep it on new nodes too: agtool ci-nodepool watch",
            str(pool),
        )
    return Finding(
        "some-tainted",
        f"{number:,} of {len(nodes):,} {pool} {'has' if number == 1 else 'have'} {taint}, and the "
        "others do not",
        "Ask whoever set it whether it belongs to the pool: then set it where the pool is defined. "
        "If not, give these nodes a label of their own.",
        str(pool),
    )
