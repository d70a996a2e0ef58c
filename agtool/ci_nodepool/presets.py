"""How each provider marks its preemptible nodes.

Sources: the providers' documentation of spot nodes (GKE, EKS, AKS, OKE) and Karpenter's of
well-known labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import NamedTuple

from agtool.ci_nodepool.model import Label, Taint, Toleration


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
        return Taint(self.label.key, self.label.value, "NoSchedule")

    @property
    def toleration(self) -> Toleration:
        """What jobs need to run there in spite of the taint."""
        value = None if self.any_value else self.taint.value
        return Toleration(self.taint.key, value, self.taint.effect)


class Provider(str, Enum):
    """The choices of --preset."""

    gke_preemptible = "gke-preemptible"
    gke_spot = "gke-spot"
    eks_spot = "eks-spot"
    aks_spot = "aks-spot"
    oke_preemptible = "oke-preemptible"
    karpenter_spot = "karpenter-spot"


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


def presets_on(labels: Iterable[Mapping[str, str]]) -> list[Preset]:
    """The presets whose label is on any of the nodes, in the order of PRESETS."""
    found = {
        preset.name
        for of_node in labels
        for preset in PRESETS.values()
        if of_node.get(preset.label.key) == preset.label.value
    }
    return [preset for preset in PRESETS.values() if preset.name in found]
