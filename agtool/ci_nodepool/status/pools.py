"""A pool and what is known of its nodes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agtool.ci_nodepool import documents
from agtool.ci_nodepool.model import Node, Taint
from agtool.ci_nodepool.pool.fates import Affected
from agtool.ci_nodepool.pool.plan import owned
from agtool.ci_nodepool.presets import Pool, own_taints, presets_on
from agtool.ci_nodepool.taints import lasting_taints, passing, passing_taints


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
