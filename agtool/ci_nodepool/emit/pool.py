"""What keeps the taint on new nodes of a pool: each provider's command or setting. Pure.

Sources: the tools' own parsers and schemas; docs/reference/ci-nodepool.md says which.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from agtool.ci_nodepool.model import Label, Taint
from agtool.core.errors import UsageError

_EFFECTS = {
    "NoSchedule": "NO_SCHEDULE",
    "NoExecute": "NO_EXECUTE",
    "PreferNoSchedule": "PREFER_NO_SCHEDULE",
}


class Wanted(NamedTuple):
    """What nodes of the pool shall have.

    Attributes:
        labels: by which jobs are sent there.
    """

    labels: Sequence[Label]
    taints: Sequence[Taint]


def _gcloud(wanted: Wanted) -> str:
    pool = "POOL --cluster CLUSTER --location LOCATION"
    show = "--format 'value(config.taints)'"
    return _replace_all("gcloud container node-pools", "describe", pool, show, wanted.taints)


def _aks(wanted: Wanted) -> str:
    for taint in wanted.taints:
        if not taint.value:
            raise UsageError(
                f"az refuses the taint {taint}: it takes none without a value",
                hint=f"Give it a value: --taint {taint.key}=VALUE:{taint.effect}",
            )
    pool = "--resource-group GROUP --cluster-name CLUSTER --name POOL"
    return (
        "# AKS lets nobody remove or change its own taints, such as that of a spot pool.\n"
    ) + _replace_all("az aks nodepool", "show", pool, "--query nodeTaints", wanted.taints)


def _replace_all(tool: str, look: str, pool: str, show: str, taints: Sequence[Taint]) -> str:
    joined = ",".join(f"{t.key}={t.value}:{t.effect}" for t in taints)
    return (
        "# --node-taints REPLACES all taints of the pool: add those that it has. They are in\n"
        f"#   {tool} {look} {pool} \\\n#     {show}\n"
        f"{tool} update {pool} \\\n  --node-taints '{joined}'\n"
    )


_EKS_RULE = (
    "# EKS refuses taints and labels of node groups whose keys have the domain eks.amazonaws.com\n"
    "# or kubernetes.io. Then give the taint another key, here and for the runner:\n"
    "#   --taint dedicated=ci:NoSchedule\n"
)


def _eks(wanted: Wanted) -> str:
    taints = wanted.taints
    joined = ",".join(
        f"{{key={t.key},value={t.value},effect={_EFFECTS[t.effect]}}}" for t in taints
    )
    return (
        f"{_eks_rule(wanted)}# Other taints of the group stay.\n"
        "aws eks update-nodegroup-config --cluster-name CLUSTER --nodegroup-name POOL \\\n"
        f"  --taints 'addOrUpdateTaints=[{joined}]'\n"
    )


def _eks_rule(wanted: Wanted) -> str:
    keys = [each.key for each in wanted.labels] + [each.key for each in wanted.taints]
    reserved = any(
        k.partition("/")[0].endswith(("eks.amazonaws.com", "kubernetes.io")) for k in keys
    )
    return _EKS_RULE if reserved else ""


def _eksctl(wanted: Wanted) -> str:
    own = [each for each in wanted.labels if not each.key.startswith("eks.amazonaws.com/")]
    labels = _lines("    labels:", [f"{_q(k)}: {_q(v)}" for k, v in own], "      ") if own else ""
    return (
        f"{_eks_rule(wanted)}# In the ClusterConfig of eksctl, at the node group, which eksctl "
        "creates anew for it.\n"
        "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\n"
        "metadata: {name: CLUSTER, region: REGION}\n"
        "managedNodeGroups:\n  - name: POOL\n    spot: true\n"
        + labels
        + _lines("    taints:", [_flow(taint) for taint in wanted.taints], "      - ")
    )


def _karpenter(wanted: Wanted) -> str:
    return (
        "# kubectl edit nodepool POOL, and add this. Karpenter replaces the nodes of a NodePool\n"
        "# whose template has changed (drift), within its disruption budget.\n"
        "spec:\n  template:\n    spec:\n"
        + _lines("      taints:", [_flow(taint) for taint in wanted.taints], "        - ")
    )


def _oke(wanted: Wanted) -> str:
    taints = ",".join(f"{t.key}={t.value}:{t.effect}" for t in wanted.taints)
    return (
        "# OKE has no setting for taints: kubelet registers the node with them, by the cloud-init\n"
        "# script of the node pool. It is for new nodes of the pool. Preemptible nodes have OKE's\n"
        "# own taint by themselves.\n"
        "#!/bin/bash\n"
        "curl --fail -H 'Authorization: Bearer Oracle' -L0 \\\n"
        "  http://169.254.169.254/opc/v2/instance/metadata/oke_init_script \\\n"
        "  | base64 --decode >/var/run/oke-init.sh\n"
        f"bash /var/run/oke-init.sh --kubelet-extra-args '--register-with-taints={taints}'\n"
    )


def _kops(wanted: Wanted) -> str:
    labels = _lines("  nodeLabels:", [f"{_q(k)}: {_q(v)}" for k, v in wanted.labels], "    ")
    return (
        "# kops edit instancegroup POOL, and add this; then kops update and kops rolling-update.\n"
        "apiVersion: kops.k8s.io/v1alpha2\nkind: InstanceGroup\nmetadata: {name: POOL}\nspec:\n"
        + labels
        + _lines("  taints:", [_q(_text(taint)) for taint in wanted.taints], "    - ")
    )


def _cluster_api(wanted: Wanted) -> str:
    taints = [_flow(taint) for taint in wanted.taints]
    return (
        "# In the KubeadmConfigTemplate of the MachineDeployment. Templates do not change: make a\n"
        "# new one, and name it in the MachineDeployment, which then rolls its machines.\n"
        "apiVersion: bootstrap.cluster.x-k8s.io/v1beta2\nkind: KubeadmConfigTemplate\n"
        "metadata: {name: POOL}\nspec:\n  template:\n    spec:\n      joinConfiguration:\n"
        "        nodeRegistration:\n" + _lines("          taints:", taints, "            - ")
    )


def _google(wanted: Wanted) -> str:
    blocks = "".join(
        _hcl("    ", "taint", key=taint.key, value=taint.value, effect=_EFFECTS[taint.effect])
        for taint in wanted.taints
    )
    return (
        "# In the resource of the pool. A change of taints may create it anew: look at the plan.\n"
        'resource "google_container_node_pool" "POOL" {\n'
        f"  # ...\n  node_config {{\n{blocks}  }}\n}}\n"
    )


def _aws(wanted: Wanted) -> str:
    blocks = "".join(
        _hcl("  ", "taint", key=taint.key, value=taint.value, effect=_EFFECTS[taint.effect])
        for taint in wanted.taints
    )
    return (
        f"{_eks_rule(wanted)}# In the resource of the node group; it is changed in place.\n"
        f'resource "aws_eks_node_group" "POOL" {{\n  # ...\n{blocks}}}\n'
    )


def _azurerm(wanted: Wanted) -> str:
    taints = ", ".join(_q(f"{t.key}={t.value}:{t.effect}") for t in wanted.taints)
    return (
        "# In the resource of the pool. AKS adds its own taint to a spot pool, and azurerm wants\n"
        "# it in this list too, or plans a change each time.\n"
        'resource "azurerm_kubernetes_cluster_node_pool" "POOL" {\n  # ...\n'
        f"  node_taints = [{taints}]\n}}\n"
    )


def _autoscaler(wanted: Wanted) -> str:
    prefix = "k8s.io/cluster-autoscaler/node-template"
    tags = [(f"{prefix}/label/{label.key}", label.value) for label in wanted.labels]
    tags += [(f"{prefix}/taint/{t.key}", f"{t.value}:{t.effect}") for t in wanted.taints]
    lines = [
        f"  'ResourceId=GROUP,ResourceType=auto-scaling-group,Key={key},Value={value},"
        "PropagateAtLaunch=true'"
        for key, value in tags
    ]
    return (
        "# Tags of the auto scaling group, by which cluster-autoscaler knows what a node would\n"
        "# have while there is none (scale from zero). They do not taint nodes.\n"
        "aws autoscaling create-or-update-tags --tags \\\n" + " \\\n".join(lines) + "\n"
    )


POOLS: Mapping[str, Callable[[Wanted], str]] = {
    "gcloud": _gcloud,
    "eks": _eks,
    "eksctl": _eksctl,
    "aks": _aks,
    "oke": _oke,
    "karpenter": _karpenter,
    "kops": _kops,
    "cluster-api": _cluster_api,
    "terraform-google": _google,
    "terraform-aws": _aws,
    "terraform-azurerm": _azurerm,
    "autoscaler": _autoscaler,
}
"""The text for each tool, by the name that a person gives."""

OF_PRESET = {
    "gke-preemptible": "gcloud",
    "gke-spot": "gcloud",
    "eks-spot": "eks",
    "aks-spot": "aks",
    "oke-preemptible": "oke",
    "karpenter-spot": "karpenter",
}
"""The tool that goes with a preset, where none is named."""


def _text(taint: Taint) -> str:
    return f"{taint.key}={taint.value}:{taint.effect}"


def _flow(taint: Taint) -> str:
    return json.dumps({k: v for k, v in taint._asdict().items() if v})


def _q(text: str) -> str:
    return json.dumps(text)


def _lines(head: str, items: Sequence[str], before: str) -> str:
    return "".join(f"{line}\n" for line in (head, *(f"{before}{item}" for item in items)))


def _hcl(indent: str, block: str, **values: str) -> str:
    width = max(map(len, values))
    inner = "".join(f"{indent}  {k.ljust(width)} = {_q(v)}\n" for k, v in values.items())
    return f"{indent}{block} {{\n{inner}{indent}}}\n"
