"""What is built for a cluster, from which versions, and how. Each of the three is a Go module.

Kubernetes, etcd and containerd disagree on the versions of their libraries, so each has a module of
its own in `modules/`. `python -m tests.cluster lock` writes go.mod and go.sum there, from the
versions here; these two pin every library by its hash.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.servers.process import ServerUnavailable

KUBERNETES = {"1.37": "1.37.2", "1.34": "1.34.4"}
"""The versions that can be built: the current one, and the oldest that agtool supports."""

VARIABLE = "AGTOOL_TEST_KUBERNETES"
"""Names one of them; without it the tests use the first."""

MODULES = Path(__file__).parent / "modules"

# Without data for debuggers and without a profile of somebody's server it takes less time.
COMPILE = ("-v", "-trimpath", "-pgo=off", "-buildvcs=false", "-gcflags=all=-dwarf=false")


class Module(NamedTuple):
    """A module whose commands are built.

    Attributes:
        name: in the cache; the folder in `modules/` is this and, of Kubernetes, its version.
        folder: with go.mod and go.sum.
        path: of the module that is built.
        version: of it.
        programs: the packages that are built, by the name that the program gets.
        tags: what is built of it, or not, as its own build has it.
        packages: how many packages are compiled, for an estimate.
        linking: seconds that the last of the work takes, when all packages are compiled.
        link: what the linker is told.
    """

    name: str
    folder: Path
    path: str
    version: str
    programs: Mapping[str, str]
    packages: int
    linking: float = 5.0
    tags: str = ""
    link: tuple[str, ...] = ("-s", "-w")

    def identity(self, compiler: str) -> str:
        """What tells one result from another. compiler: what `go version` says."""
        pinned = [(self.folder / name).read_bytes() for name in ("go.mod", "go.sum")]
        options = (self.tags, self.link, *COMPILE)
        recipe = repr((self.path, self.version, dict(self.programs), options, compiler))
        return hashlib.sha256(b"\0".join([recipe.encode(), *pinned])).hexdigest()[:12]


def kubernetes(minor: str) -> Module:
    """Kubernetes of a version such as 1.37. Raises ServerUnavailable if there is no recipe."""
    if minor not in KUBERNETES:
        raise ServerUnavailable(
            f"{VARIABLE}={minor}: the versions that can be built are {', '.join(KUBERNETES)}"
        )
    version = KUBERNETES[minor]
    major, of_major, _ = version.split(".")
    values = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": of_major}
    named = [
        f"-X=k8s.io/{package}.{name}={value}"
        for package in ("component-base/version", "client-go/pkg/version")
        for name, value in values.items()
    ]
    programs = (
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kubelet",
        "kubectl",
    )
    return Module(
        "kubernetes",
        MODULES / f"kubernetes-{minor}",
        "k8s.io/kubernetes",
        version,
        {name: f"k8s.io/kubernetes/cmd/{name}" for name in programs},
        packages=2754,
        linking=20.0,
        link=("-s", "-w", *named),
    )


ETCD = Module(
    "etcd",
    MODULES / "etcd",
    "go.etcd.io/etcd/server/v3",
    "3.6.16",
    {"etcd": "go.etcd.io/etcd/server/v3"},
    packages=582,
)

CONTAINERD = Module(
    "containerd",
    MODULES / "containerd",
    "github.com/containerd/containerd/v2",
    "2.4.2",
    {
        name: f"github.com/containerd/containerd/v2/cmd/{name}"
        for name in ("containerd", "containerd-shim-runc-v2", "ctr")
    },
    packages=1042,
    tags="no_devmapper,no_tracing,no_zfs",
)

HELM = Module(
    "helm",
    MODULES / "helm",
    "helm.sh/helm/v4",
    "4.3.1",
    {"helm": "helm.sh/helm/v4/cmd/helm"},
    packages=1100,
    link=("-s", "-w", "-X=helm.sh/helm/v4/internal/version.version=v4.3.1"),
)
"""The client that upgrades what agtool has changed, in the tests of ci-nodepool."""

KUSTOMIZE = Module(
    "kustomize",
    MODULES / "kustomize",
    "sigs.k8s.io/kustomize/kustomize/v5",
    "5.8.1",
    {"kustomize": "sigs.k8s.io/kustomize/kustomize/v5"},
    packages=400,
)
"""It runs `migrate-once inject` as a function."""


def chosen() -> tuple[Module, Module, Module]:
    """What a cluster is made of here: Kubernetes, etcd, containerd. Raises ServerUnavailable."""
    return kubernetes(os.environ.get(VARIABLE) or next(iter(KUBERNETES))), ETCD, CONTAINERD


def feature_gates() -> dict[str, bool]:
    """What has to be switched on for the tests in the chosen version; later ones have it on."""
    return {"ImageVolume": True} if chosen()[0].version.startswith("1.34.") else {}


def everything() -> list[Module]:
    """All modules, of each version of Kubernetes."""
    return [*map(kubernetes, KUBERNETES), ETCD, CONTAINERD, HELM, KUSTOMIZE]
