"""What is known about the keys of taints: which come and go with a node's state. Pure.

Such a passing taint does not make the pool: no job has to tolerate it, and no healthy node lacks
it. Every other taint is the pool's, or somebody's who wants it there, whatever its domain: the keys
below stand whole, and a prefix only where its owner reserves all of it for states.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from agtool.ci_nodepool.model import Node, Taint, taint_of


class Passing(NamedTuple):
    """Why a taint comes and goes.

    Attributes:
        state: of the node that has it, for people.
        owner: who sets and removes it.
        source: where that is said.
    """

    state: str
    owner: str
    source: str


_CONDITIONS = ("Kubernetes", "k8s.io/api/core/v1/well_known_taints.go")
_CLOUD_PROVIDER = ("the cloud's controller", "k8s.io/cloud-provider/api/well_known_taints.go")
_AUTOSCALER = (
    "cluster-autoscaler",
    "github.com/kubernetes/autoscaler/cluster-autoscaler/utils/taints/taints.go",
)
_KARPENTER = ("Karpenter", "sigs.k8s.io/karpenter/pkg/apis/v1/taints.go")
_NTH = (
    "aws-node-termination-handler",
    "github.com/aws/aws-node-termination-handler/pkg/node/node.go",
)
_AKS = ("AKS", "learn.microsoft.com/azure/aks/node-auto-drain")
_CLUSTER_API = ("Cluster API", "sigs.k8s.io/cluster-api/api/core/v1beta2/common_types.go")

_KEYS: Mapping[str, Passing] = {
    "node.kubernetes.io/not-ready": Passing("is not ready", *_CONDITIONS),
    "node.kubernetes.io/unreachable": Passing("cannot be reached", *_CONDITIONS),
    "node.kubernetes.io/unschedulable": Passing("is cordoned", *_CONDITIONS),
    "node.kubernetes.io/memory-pressure": Passing("is short of memory", *_CONDITIONS),
    "node.kubernetes.io/disk-pressure": Passing("is short of disk space", *_CONDITIONS),
    "node.kubernetes.io/pid-pressure": Passing("is short of process ids", *_CONDITIONS),
    "node.kubernetes.io/network-unavailable": Passing("has no network yet", *_CONDITIONS),
    "node.kubernetes.io/out-of-service": Passing("is out of service", *_CONDITIONS),
    "node.cloudprovider.kubernetes.io/uninitialized": Passing("is starting", *_CLOUD_PROVIDER),
    "node.cloudprovider.kubernetes.io/shutdown": Passing("is shut down", *_CLOUD_PROVIDER),
    "ToBeDeletedByClusterAutoscaler": Passing("is about to be removed", *_AUTOSCALER),
    "DeletionCandidateOfClusterAutoscaler": Passing("may soon be removed", *_AUTOSCALER),
    "karpenter.sh/unregistered": Passing("is starting", *_KARPENTER),
    "karpenter.sh/disrupted": Passing("is about to be removed", *_KARPENTER),
    "karpenter.sh/rebooting": Passing("is starting again", *_KARPENTER),
    # Until Karpenter 1.0.
    "karpenter.sh/disruption": Passing("is about to be removed", *_KARPENTER),
    "aws-node-termination-handler/spot-itn": Passing("is about to be taken back", *_NTH),
    "aws-node-termination-handler/rebalance-recommendation": Passing(
        "is likely to be taken back", *_NTH
    ),
    "aws-node-termination-handler/scheduled-maintenance": Passing("is due to be serviced", *_NTH),
    "aws-node-termination-handler/asg-lifecycle-termination": Passing(
        "is about to be removed", *_NTH
    ),
    # cluster-autoscaler takes these two for conditions of a node, as Kubernetes' own.
    "cloud.google.com/impending-node-termination": Passing(
        "is about to be taken back", "GKE", _AUTOSCALER[1]
    ),
    "NodeWithImpairedVolumes": Passing("cannot attach volumes", "AWS", _AUTOSCALER[1]),
    "remediator.kubernetes.azure.com/unschedulable": Passing("is being drained", *_AKS),
    # Until 2023.
    "remediator.aks.microsoft.com/unschedulable": Passing("is being drained", *_AKS),
    "node.cilium.io/agent-not-ready": Passing(
        "is starting", "Cilium", "docs.cilium.io/en/stable/installation/taints"
    ),
    "cni.istio.io/not-ready": Passing(
        "is starting", "Istio", "istio.io/latest/docs/setup/additional-setup/cni"
    ),
    **{
        f"{driver}/agent-not-ready": Passing("is starting", f"the CSI driver {driver}", source)
        for driver, source in (
            (
                "ebs.csi.aws.com",
                "github.com/kubernetes-sigs/aws-ebs-csi-driver/pkg/driver/constants.go",
            ),
            (
                "efs.csi.aws.com",
                "github.com/kubernetes-sigs/aws-efs-csi-driver/pkg/driver/driver.go",
            ),
            (
                "fsx.csi.aws.com",
                "github.com/kubernetes-sigs/aws-fsx-csi-driver/pkg/driver/constants.go",
            ),
            (
                "s3.csi.aws.com",
                "github.com/awslabs/mountpoint-s3-csi-driver/docs/CONFIGURATION.md",
            ),
            (
                "azurelustre.csi.azure.com",
                "github.com/kubernetes-sigs/azurelustre-csi-driver/docs/driver-parameters.md",
            ),
            (
                "disk.csi.azure.com",
                "github.com/kubernetes-sigs/azuredisk-csi-driver/pkg/azuredisk/azuredisk.go",
            ),
            ("topolvm.io", "github.com/topolvm/topolvm/cmd/topolvm-node/app/run.go"),
        )
    },
    "node.cluster.x-k8s.io/uninitialized": Passing("is starting", *_CLUSTER_API),
    "node.cluster.x-k8s.io/outdated-revision": Passing("is about to be replaced", *_CLUSTER_API),
    "UpdateInProgress": Passing(
        "is being updated",
        "OpenShift's machine config operator",
        "github.com/openshift/machine-config-operator/pkg/constants/constants.go",
    ),
    "medik8s.io/drain": Passing(
        "is being serviced",
        "medik8s",
        "github.com/medik8s/node-maintenance-operator/controllers/taint.go",
    ),
    "medik8s.io/remediation": Passing(
        "is being repaired",
        "medik8s",
        "github.com/medik8s/fence-agents-remediation/api/v1alpha1",
    ),
}

_PREFIXES: Mapping[str, Passing] = {
    "startup-taint.cluster-autoscaler.kubernetes.io/": Passing("is starting", *_AUTOSCALER),
    "status-taint.cluster-autoscaler.kubernetes.io/": Passing("is not usable now", *_AUTOSCALER),
    "ignore-taint.cluster-autoscaler.kubernetes.io/": Passing("is starting", *_AUTOSCALER),
    "readiness.k8s.io/": Passing(
        "is starting", "the node readiness controller", "sigs.k8s.io/node-readiness-controller"
    ),
}


def passing(key: str) -> Passing | None:
    """Why a taint with this key comes and goes; None: somebody gave it to the node to stay."""
    return _KEYS.get(key) or next(
        (why for prefix, why in _PREFIXES.items() if key.startswith(prefix)), None
    )


def lasting_taints(node: Node) -> Iterator[Taint]:
    """The taints that somebody gave the node; not those that come and go with its state."""
    return (taint for taint in map(taint_of, node.taints) if not passing(taint.key))


def passing_taints(node: Node) -> Iterator[Taint]:
    """The others."""
    return (taint for taint in map(taint_of, node.taints) if passing(taint.key))
