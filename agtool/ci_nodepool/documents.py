"""What the commands print with `--output json`, under `data`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agtool.ci_nodepool.model import Toleration
from agtool.ci_nodepool.pool.fates import Affected
from agtool.ci_nodepool.runner.placement import Tables
from agtool.core.finding import Finding


@dataclass(frozen=True)
class Pool:
    """Which nodes were meant.

    Attributes:
        nodes: those that were named; empty: they were found by their labels.
        selector: their labels, as for kubectl's --selector; empty: they were named.
        preset: the provider's preset, given or seen on the nodes; null: not known.
    """

    nodes: list[str]
    selector: str
    preset: str | None


@dataclass(frozen=True)
class PlannedNode:
    """What was to change on a node.

    Attributes:
        node: its name.
        changes: such as `+ taint KEY=VALUE:NoSchedule` and `- label KEY=VALUE`.
        kept: what undo leaves as it is, and why.
    """

    node: str
    changes: list[str]
    kept: list[str]


@dataclass(frozen=True)
class NodesChanged:
    """What became of the nodes.

    Attributes:
        pool: which nodes were meant.
        dry_run: whether nothing was to be changed.
        planned: what was to change.
        as_wanted: how many nodes were as wanted before.
        changed: the names of nodes that agtool changed.
        unchanged: those that somebody else changed in the same way meanwhile.
        gone: those that were deleted or replaced meanwhile.
        failed: those that could not be changed, each as `node NAME` in `subject`.
        not_started: those that were left alone after an interrupt, or after an error that all
            nodes would have met.
        affected: pods and DaemonSets that do not tolerate the new taints.
        slipped: pods that came onto the nodes while these were tainted.
        warnings: what could not be looked at.
    """

    pool: Pool
    dry_run: bool
    planned: list[PlannedNode]
    as_wanted: int
    changed: list[str]
    unchanged: list[str]
    gone: list[str]
    failed: list[Finding]
    not_started: list[str]
    affected: list[Affected]
    slipped: list[Affected]
    warnings: list[Finding]


@dataclass(frozen=True)
class RunnerChanged:
    """What became of a runner.

    Attributes:
        runner: its Deployment, as NAMESPACE/NAME.
        config_map: the name of the ConfigMap that holds its template.
        key: the key of the template in the ConfigMap.
        dry_run: whether nothing was to be changed.
        changed: whether the template was changed.
        restarted: whether the runner was restarted, and is up.
        finishing: pods of the old runner, which live until their jobs have ended.
        entries: what was added; for undo: removed.
        kept: what undo leaves as it is, and why.
        diff: between the templates, without secrets.
        warnings: what else is wrong, or could not be looked at.
    """

    runner: str
    config_map: str
    key: str
    dry_run: bool
    changed: bool
    restarted: bool
    finishing: list[str]
    entries: Tables
    kept: list[str]
    diff: str
    warnings: list[Finding]


@dataclass(frozen=True)
class JobsSent(RunnerChanged):
    """What became of a runner whose jobs are sent to a pool.

    Attributes:
        wanted: where its jobs shall go.
        helm_values: what keeps the change at the next upgrade with Helm, as YAML.
    """

    wanted: Tables
    helm_values: str


@dataclass(frozen=True)
class RunnersSent(JobsSent):
    """What became of runners whose jobs are sent to a pool; on top, of the first of them.

    Attributes:
        runners: what became of each.
    """

    runners: list[JobsSent]


@dataclass(frozen=True)
class Applied(NodesChanged):
    """What became of the nodes and of the runners.

    Attributes:
        runner: what became of the first runner.
        runners: what became of each runner; they were changed before the nodes.
    """

    runner: JobsSent
    runners: list[JobsSent]


@dataclass(frozen=True)
class Undone(NodesChanged):
    """What became of the nodes and of the runners.

    Attributes:
        runners: what became of each runner that agtool had changed.
    """

    runners: list[RunnerChanged]


@dataclass(frozen=True)
class Node:
    """A node of a pool.

    Attributes:
        created: when, in ISO 8601.
        cordoned: whether it is marked as unschedulable.
        taints: as KEY=VALUE:EFFECT, without those by which Kubernetes reports its state.
        by_agtool: the labels and taints that agtool set.
    """

    name: str
    created: str
    ready: bool
    cordoned: bool
    taints: list[str]
    by_agtool: list[str]


@dataclass(frozen=True)
class PassingTaint:
    """A taint that comes and goes with a node's state.

    Attributes:
        taint: as KEY=VALUE:EFFECT.
        nodes: how many have it.
        why: what it says of a node, and who sets it.
    """

    taint: str
    nodes: int
    why: str


@dataclass(frozen=True)
class JobCounts:
    """How many jobs a pool has.

    Attributes:
        running: on its nodes.
        waiting: on no node yet, and able to run on these.
        lost: in the last hour, by what took them, as far as the cluster's events tell.
    """

    running: int
    waiting: int
    lost: dict[str, int]


@dataclass(frozen=True)
class PoolStatus:
    """A pool and its nodes.

    Attributes:
        selector: the labels of its nodes.
        preset: the provider's preset; null: not known.
        taints: as KEY=VALUE:EFFECT, and how many of the nodes have each; those that stay.
        nodes: those that it has now.
        affected: pods and DaemonSets that do not tolerate the pool's taints.
        passing: taints that come and go with a node's state.
        presets: all presets whose label these nodes have.
        jobs: how many it has; null: not counted.
    """

    selector: str
    preset: str | None
    taints: dict[str, int]
    nodes: list[Node]
    affected: list[Affected]
    passing: list[PassingTaint]
    presets: list[str]
    jobs: JobCounts | None


@dataclass(frozen=True)
class RunnerStatus:
    """Where the jobs of a runner go.

    Attributes:
        runner: its Deployment or StatefulSet, as NAMESPACE/NAME.
        selector: labels that a node must have, of the pods' node selector.
        tolerations: of every job's pod.
        on_pool_nodes: preemptible nodes on which the runner itself runs.
        section: the name of the [[runners]] where a configuration has several; else empty.
        where: the nodes to which jobs are sent, affinity included, in words.
        prefers: labels of the nodes that they would rather have; empty: no wish.
    """

    runner: str
    selector: dict[str, str]
    tolerations: list[Toleration]
    on_pool_nodes: list[str]
    section: str
    where: str
    prefers: str


@dataclass(frozen=True)
class MetTaint:
    """A taint of nodes to which jobs are sent.

    Attributes:
        taint: as KEY=VALUE:EFFECT.
        tolerated: whether the jobs tolerate it.
    """

    taint: str
    tolerated: bool


@dataclass(frozen=True)
class Line:
    """A line to add to a file.

    Attributes:
        line: the number that it will have, from 1.
        text: itself, perhaps with the header of its table.
    """

    line: int
    text: str


@dataclass(frozen=True)
class CheckedRunner:
    """What becomes of the jobs of a runner in a file.

    Attributes:
        runner: its name, or that of the file and the place in it.
        section: the name of the [[runners]] where a configuration has several; else empty.
        file: where its configuration stands.
        line: the first of the configuration in the file, from 1.
        verdict: `fits`, `misfit`, or `unknown` where it cannot be judged.
        where: the nodes to which jobs are sent, affinity included, in words.
        prefers: labels of the nodes that they would rather have; empty: no wish.
        taints: that the nodes have to which jobs are sent.
        findings: what is wrong, and what could be better.
        advice: settings that help jobs to survive the loss of a node, with the lines.
        change: the line that lets the jobs run there; null: none is missing, or none is known.
    """

    runner: str
    section: str
    file: str
    line: int
    verdict: Literal["fits", "misfit", "unknown"]
    where: str
    prefers: str
    taints: list[MetTaint]
    findings: list[Finding]
    advice: list[Finding]
    change: Line | None


@dataclass(frozen=True)
class Checked:
    """What becomes of the jobs of all runners in some files.

    Attributes:
        runners: each [[runners]] whose jobs are pods.
    """

    runners: list[CheckedRunner]


@dataclass(frozen=True)
class EditedRunner:
    """What is to change in the configuration of a runner in a file.

    Attributes:
        runner: its name, or that of the file and the place in it.
        entries: what was added.
        settings: other lines that were added, as TOML.
    """

    runner: str
    entries: Tables
    settings: list[str]


@dataclass(frozen=True)
class Edited:
    """What is to change, or was changed, in a file.

    Attributes:
        file: its name.
        runners: of each whose configuration changes.
        as_wanted: the names of runners whose configuration is as wanted.
        written: whether the file was written.
        diff: of the file, without what may be secret.
    """

    file: str
    runners: list[EditedRunner]
    as_wanted: list[str]
    written: bool
    diff: str


@dataclass(frozen=True)
class Status:
    """Pools, runners, and what does not fit together.

    Attributes:
        warnings: what could not be looked at.
        problems: what does not fit together, the worst first.
        advice: settings that help jobs to survive the loss of a node, with the lines.
    """

    pools: list[PoolStatus]
    runners: list[RunnerStatus]
    warnings: list[Finding]
    problems: list[Finding]
    advice: list[Finding]
