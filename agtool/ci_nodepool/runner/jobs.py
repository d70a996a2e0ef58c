"""Where the jobs of a runner may run: what becomes of their pods on given nodes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from agtool.ci_nodepool import scheduling
from agtool.ci_nodepool.model import Node, Taint, Toleration, tolerated
from agtool.ci_nodepool.runner.pod.build import JobPod
from agtool.ci_nodepool.runner.survival import as_finding
from agtool.core.finding import Finding


@dataclass(frozen=True)
class Jobs:
    """The jobs of one runner, of which each gets such a pod.

    Attributes:
        runner: NAMESPACE/NAME of the runner, for people.
        pod: what becomes of a job that says nothing itself.
        section: the name of its [[runners]], where a configuration has several.
        besides: what their manager lacks, so that they survive its end.
    """

    runner: str
    pod: JobPod = field(default_factory=lambda: JobPod({}))
    section: str = ""
    besides: tuple[Finding, ...] = ()

    def __str__(self) -> str:
        """For people."""
        return f"runner {self.runner}" + (f" ({self.section})" if self.section else "")

    @property
    def subject(self) -> str:
        """What a Finding about them is about."""
        return f"runner {self.runner}"

    @property
    def spec(self) -> scheduling.Spec:
        """Of their pods."""
        return self.pod.spec

    @property
    def selector(self) -> Mapping[str, str]:
        """The node selector of their pods."""
        labels: Mapping[str, str] = self.spec.get("nodeSelector") or {}
        return labels

    @property
    def tolerations(self) -> tuple[Toleration, ...]:
        """Of their pods."""
        return tuple(scheduling.tolerations_of(self.spec))

    @property
    def ask_for_nodes(self) -> bool:
        """Whether they can run on certain nodes only."""
        return scheduling.asks_for_nodes(self.spec)

    @property
    def where(self) -> str:
        """The nodes that they ask for, such as `nodes with a=b`; or `any node`."""
        return scheduling.where(self.spec) or "any node"

    @property
    def doubts(self) -> tuple[str, ...]:
        """What cannot be told of where they run."""
        return self.pod.doubts

    def findings(self) -> Iterator[Finding]:
        """What is wrong with the settings themselves, wherever the nodes are."""
        for each in self.pod.findings:
            yield replace(each, message=f"{self}: {each.message}", subject=self.subject)
        for name in self.pod.leave_by:
            yield Finding(
                "jobs-may-leave",
                f"{name} is set for {self}: a job can choose other nodes by its variables",
                "Remove it from the runner's configuration, if no job needs it.",
                self.subject,
            )

    def with_doubts(self, *doubts: str) -> Jobs:
        """The same with more doubts."""
        return replace(self, pod=replace(self.pod, doubts=(*self.pod.doubts, *doubts)))

    def advice(self) -> Iterator[Finding]:
        """What helps these jobs to survive the loss of a node; of those that wish for one too."""
        if self.pod.fails or not (self.ask_for_nodes or scheduling.wishes(self.spec)):
            return
        for setting in self.pod.advice:
            yield as_finding(setting, self.subject)
        yield from self.besides

    def with_advice(self, *findings: Finding) -> Jobs:
        """The same with more that their manager lacks."""
        return replace(self, besides=(*self.besides, *findings))

    def with_findings(self, *findings: Finding) -> Jobs:
        """The same with more settings that have no effect."""
        return replace(self, pod=replace(self.pod, findings=(*self.pod.findings, *findings)))

    def with_ways_out(self, *settings: str) -> Jobs:
        """The same with more settings by which a job can choose other nodes."""
        return replace(self, pod=replace(self.pod, leave_by=(*self.pod.leave_by, *settings)))

    def selects(self, node: Node) -> bool:
        """Whether they are sent to such nodes, and not just anywhere."""
        return self.ask_for_nodes and scheduling.may_run_on(self.spec, node)

    def may_run_on(self, node: Node) -> bool:
        """Whether the node is one for them, taints aside."""
        return scheduling.may_run_on(self.spec, node)

    def tolerates(self, taint: Taint) -> bool:
        """Whether they can run on nodes with the taint."""
        return tolerated(taint, self.tolerations)

    def blocking(self, node: Node) -> list[Taint]:
        """The node's lasting taints that keep them off it."""
        return scheduling.blocking(self.spec, node)

    def run_on(self, node: Node) -> bool:
        """Whether the node takes them, as far as its labels and lasting taints decide it."""
        return self.may_run_on(node) and not self.blocking(node)

    def prefer(self, node: Node) -> bool:
        """Whether they go rather to this node than to most."""
        return self.may_run_on(node) and scheduling.prefers(self.spec, node)


def none_takes(jobs: Jobs, nodes: Sequence[Node]) -> str:
    """Why none of the nodes is one for the jobs, taints aside; empty: there is one."""
    if any(map(jobs.may_run_on, nodes)):
        return ""
    spec = jobs.spec
    selected = [node for node in nodes if scheduling.matches_selector(spec, node)]
    if jobs.selector and selected and scheduling.required_terms(spec) is not None:
        affinity = scheduling.where({"affinity": spec["affinity"]})
        selector = ",".join(f"{key}={value}" for key, value in jobs.selector.items())
        return (
            f"the nodes with {selector} are not among the {affinity}, which their required node "
            "affinity asks for: selector and affinity contradict"
        )
    return f"no node is among the {jobs.where}" if jobs.ask_for_nodes else "there is no node"
