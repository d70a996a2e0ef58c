"""Pools of preemptible nodes: which one is meant, and how each provider marks its nodes. Pure.

Sources: the providers' documentation of spot nodes (GKE, EKS, AKS, OKE) and Karpenter's of
well-known labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from shlex import quote
from typing import NamedTuple

from agtool.ci_nodepool.model import Label, Node, Taint, Toleration, taint_of
from agtool.ci_nodepool.parse import parse_equality
from agtool.core.errors import UsageError


class Preset(NamedTuple):
    """The label of a provider's preemptible nodes, and the taint that goes with it.

    Attributes:
        built_in: the provider sets the taint by itself.
        any_value: the value of the provider's taint is not documented.
    """

    name: str
    label: Label
    built_in: bool = False
    any_value: bool = False

    @property
    def taint(self) -> Taint:
        """The taint that keeps other pods off: named as the label is."""
        return Taint(*self.label, "NoSchedule")

    @property
    def toleration(self) -> Toleration:
        """What jobs need to run there in spite of the taint."""
        value = None if self.any_value else self.taint.value
        return Toleration(self.taint.key, value, self.taint.effect)

    @property
    def pool(self) -> Pool:
        """The nodes that have the label."""
        return Pool((), str(self.label), self)


PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset("gke-preemptible", Label("cloud.google.com/gke-preemptible", "true")),
        Preset("gke-spot", Label("cloud.google.com/gke-spot", "true")),
        Preset("eks-spot", Label("eks.amazonaws.com/capacityType", "SPOT")),
        Preset("aks-spot", Label("kubernetes.azure.com/scalesetpriority", "spot"), built_in=True),
        Preset(
            "oke-preemptible",
            Label("oci.oraclecloud.com/oke-is-preemptible", "true"),
            built_in=True,
            any_value=True,
        ),
        Preset("karpenter-spot", Label("karpenter.sh/capacity-type", "spot")),
    )
}

DEFAULT = PRESETS["gke-preemptible"]


def presets_on(nodes: Iterable[Mapping[str, str]]) -> list[Preset]:
    """The presets whose label is among the labels of any of the nodes, in the order of PRESETS."""
    found = {p for labels in nodes for p in PRESETS.values() if p.label in labels.items()}
    return [preset for preset in PRESETS.values() if preset in found]


@dataclass(frozen=True)
class Pool:
    """Which nodes are meant: as a person says it, or as it was found.

    Attributes:
        names: the nodes by name, or empty.
        selector: their labels, as kubectl's --selector, or empty.
        preset: the provider's way, given or seen on the nodes; None: not known.
    """

    names: tuple[str, ...] = ()
    selector: str = ""
    preset: Preset | None = None

    def __str__(self) -> str:
        return ", ".join(self.names) or f"nodes with {self.selector}"

    @property
    def options(self) -> str:
        """The options that mean this pool on a command line."""
        return f"--preset {self.preset.name}" if self.preset else f"-l {quote(self.selector)}"


def own_taints(pool: Pool, nodes: Sequence[Node], set_by_us: Iterable[Taint]) -> list[Taint]:
    """The taints that make the pool, whether nodes have them or not.

    They are those that go with its label, and those that agtool set on any of its nodes.
    """
    own = [preset.taint for preset in presets_on(node.labels for node in nodes)]
    with suppress(UsageError):
        own += default_taints(pool, nodes)
    return list(dict.fromkeys([*own, *set_by_us]))


def default_taints(pool: Pool, nodes: Sequence[Node]) -> tuple[Taint, ...]:
    """The taint that goes with the pool's preset, or else with its first label.

    None where the provider sets one by itself whose value it does not tell.

    Raises:
        UsageError: the selector is not one that begins with KEY=VALUE.
    """
    if pool.preset is None:
        label = parse_equality(pool.selector.split(",")[0])
        if label is None:
            raise UsageError(
                f"no taint goes with the selector {pool.selector}",
                hint="Name the taint: KEY=VALUE:EFFECT.",
            )
        return (Taint(*label, "NoSchedule"),)
    taint = pool.preset.taint
    if pool.preset.any_value and all(
        any((t.key, t.effect) == (taint.key, taint.effect) for t in map(taint_of, node.taints))
        for node in nodes
    ):
        return ()
    return (taint,)
