"""A pool, its taints, the runners, and everything that does not fit together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from agtool.ci_nodepool.affected import Affected, find_affected
from agtool.ci_nodepool.model import Jobs, Node, Taint, lasting_taints
from agtool.ci_nodepool.nodes import NoNodes, Pool, find_pool, select
from agtool.ci_nodepool.presets import PRESETS, presets_on
from agtool.core.kube.errors import ForbiddenError

if TYPE_CHECKING:
    from agtool.ci_nodepool.options import PoolOptions
    from agtool.core.kube.session import Session


class Problem(NamedTuple):
    """Something that does not fit together, with a stable word for it, and what to do."""

    word: str
    what: str
    hint: str


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


@dataclass
class Status:
    """What was found.

    Attributes:
        managers: the nodes of the pools on which a runner itself runs, by runner.
        findings: what is wrong with the runners themselves.
        unseen: what we were not allowed to look at.
    """

    pools: list[PoolStatus]
    jobs: list[Jobs]
    managers: dict[str, list[str]] = field(default_factory=dict)
    findings: list[Problem] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)


def judge(status: Status, nodes: Sequence[Node]) -> list[Problem]:
    """What does not fit together, the worst first. Pure.

    Args:
        nodes: all of the cluster's.
    """
    problems = [*_of_jobs(status, nodes), *_of_managers(status), *status.findings]
    for pool in status.pools:
        problems += _of_pool(pool, status.jobs)
    return sorted(problems, key=lambda problem: WORST_FIRST.index(problem.word))


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
"""The words of all problems; a stable part of the output for programs."""


def _of_jobs(status: Status, nodes: Sequence[Node]) -> Iterator[Problem]:
    for jobs in status.jobs:
        selector = ",".join(f"{key}={value}" for key, value in jobs.selector.items())
        there = [node for node in nodes if jobs.selects(node.labels)]
        blocked = [n for n in there if not all(map(jobs.tolerates, lasting_taints(n)))]
        if jobs.doubt:
            yield Problem("doubt", f"runner {jobs.runner}: {jobs.doubt}", "")
        if not jobs.selector:
            if status.pools:
                yield Problem(
                    "not-sent",
                    f"jobs of runner {jobs.runner} are sent to any node, not to a pool",
                    f"agtool ci-nodepool apply{_the_pool(status)} --runner {jobs.runner}",
                )
        elif not there:
            yield Problem(
                "no-nodes",
                f"jobs of runner {jobs.runner} are sent to nodes with {selector}: there are none",
                "Fine for a pool that scales from zero; else the jobs wait for ever.",
            )
        elif blocked:
            taint = next(t for t in lasting_taints(blocked[0]) if not jobs.tolerates(t))
            all_of_them = len(blocked) == len(there)
            yield Problem(
                "deadlock" if all_of_them else "blocked-nodes",
                f"jobs of runner {jobs.runner} do not tolerate {taint}, which "
                + (
                    "all their nodes have: they wait for ever"
                    if all_of_them
                    else f"{len(blocked):,} of their {len(there):,} nodes have"
                ),
                f"agtool ci-nodepool patch-runner --runner {jobs.runner} -l {selector} "
                f"--taint {taint}",
            )


def _the_pool(status: Status) -> str:
    """The options that name the pool, where there is one and it is not found without them."""
    found = [each.pool for each in status.pools]
    return f" -l {found[0].selector}" if len(found) == 1 and found[0].preset is None else ""


def _of_managers(status: Status) -> Iterator[Problem]:
    for runner, names in status.managers.items():
        yield Problem(
            "manager-in-pool",
            f"runner {runner} itself runs on {', '.join(names)}: when that goes, its jobs fail",
            "Keep it off with nodeSelector in the chart's values, which moves the runner alone.",
        )


def _of_pool(status: PoolStatus, jobs: Sequence[Jobs]) -> Iterator[Problem]:
    nodes, pool = status.nodes, status.pool
    which = f"--preset {pool.preset.name}" if pool.preset else f"-l {pool.selector}"
    if nodes and not any(node.ready and not node.cordoned for node in nodes):
        yield Problem(
            "no-ready-node", f"none of the {pool} is ready", f"kubectl get nodes -l {pool.selector}"
        )
    for taint, having in status.taints.items():
        if having < len(nodes):
            yield Problem(
                "untainted-nodes",
                f"{len(nodes) - having:,} of {len(nodes):,} {pool} lack {taint}; "
                "nodes that were made anew come without it",
                f"agtool ci-nodepool taint {which} {taint}; agtool ci-nodepool watch keeps it",
            )
    runner = next((j.runner for j in jobs if any(j.selects(n.labels) for n in nodes)), "")
    if runner and not status.taints:
        yield Problem(
            "open-pool",
            f"{pool} have no taint: pods that are no jobs come there",
            f"agtool ci-nodepool apply {which} --runner {runner}",
        )
    pods = [a for a in status.affected if a.kind == "Pod"]
    if pods:
        yield Problem(
            "strangers",
            f"{len(pods):,} pods do not tolerate the taints of the {pool}: they came before "
            "the taint, and stay until they end",
            "To move one: kubectl delete pod NAME, if a controller makes it anew elsewhere.",
        )
    if daemonsets := [a for a in status.affected if a.kind == "DaemonSet"]:
        yield Problem(
            "daemonsets",
            f"DaemonSets that new ones of the {pool} would be without: "
            + ", ".join(f"{a.namespace}/{a.name}" for a in daemonsets),
            "Give them a toleration, if they are needed there.",
        )


def find_status(
    session: Session, options: PoolOptions, namespace: str | None, *, look_at_pods: bool
) -> tuple[Status, list[Problem]]:
    """Look at everything. Raises what Session raises; DeniedError only for nodes."""
    nodes = select(session, "")
    status = Status([], [])
    _look_at_runners(session, namespace, nodes, status)
    for pool, of_pool in _pools(session, options, nodes, status.jobs):
        affected: Sequence[Affected] = ()
        taints = list(Counter(t for node in of_pool for t in lasting_taints(node)))
        if look_at_pods and taints:
            tainted = [node for node in of_pool if any(lasting_taints(node))]
            try:
                affected = find_affected(session, taints, tainted)
            except ForbiddenError as error:
                status.unseen.append(error.message)
        status.pools.append(PoolStatus(pool, of_pool, affected))
    return status, judge(status, nodes)


def _look_at_runners(
    session: Session, namespace: str | None, nodes: Sequence[Node], status: Status
) -> None:
    from agtool.ci_nodepool.runner import find
    from agtool.ci_nodepool.runner_change import manager_pods
    from agtool.ci_nodepool.runner_settings import jobs
    from agtool.ci_nodepool.runner_status import findings

    by_name = {node.name: node for node in nodes}
    try:
        for runner in find(session, namespace):
            status.jobs.append(jobs(runner))
            pods = manager_pods(session, runner)
            status.findings += (Problem(*finding) for finding in findings(runner, pods))
            there = [by_name.get(pod["spec"].get("nodeName", "")) for pod in pods]
            names = [n.name for n in there if n and presets_on([n.labels])]
            if names:
                status.managers[str(runner)] = sorted(set(names))
    except ForbiddenError as error:
        status.unseen.append(error.message)


def _pools(
    session: Session, options: PoolOptions, nodes: Sequence[Node], jobs: Sequence[Jobs]
) -> Iterator[tuple[Pool, list[Node]]]:
    """The pool that is meant; or each that a provider's label or a runner's selector makes."""
    if options.selector or options.preset:
        try:
            yield find_pool(session, (), options)
        except NoNodes:
            preset = PRESETS[options.preset.value] if options.preset else None
            yield Pool((), options.selector or str(preset.label if preset else ""), preset), []
        return
    found = {str(preset.label): preset for preset in presets_on(n.labels for n in nodes)}
    for selector, preset in found.items():
        yield (
            Pool((), selector, preset),
            [n for n in nodes if n.labels.get(preset.label.key) == preset.label.value],
        )
    for of_runner in jobs:
        selector = ",".join(f"{key}={value}" for key, value in of_runner.selector.items())
        if selector and selector not in found:
            of_pool = [node for node in nodes if of_runner.selects(node.labels)]
            yield Pool((), selector, None), of_pool
