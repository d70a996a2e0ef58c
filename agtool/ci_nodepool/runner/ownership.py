"""Who puts back what is changed live: Flux, Argo CD or Helm. Pure.

Sources: Flux's kustomize-controller and helm-controller (their labels and field managers); Argo
CD's resource tracking; Helm's meta.helm.sh annotations. `heritage: Helm` and
`app.kubernetes.io/instance` by themselves say nothing: everybody renders charts, and everybody has
taken to that label.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from agtool.core.kube.session import Json


class Owner(NamedTuple):
    """Who owns an object.

    Attributes:
        name: for people, such as `the HelmRelease ci/runner of Flux`.
        change: what to change instead of the live object, and where.
    """

    name: str
    change: str


_VALUES = "runners.config in its values"


def owner(manifest: Json) -> Owner | None:
    """Who owns an object; None: nobody that puts it back."""
    metadata = manifest.get("metadata") or {}
    labels = metadata.get("labels") or {}
    annotations = metadata.get("annotations") or {}
    managers = set(_managers(metadata))
    return (
        _of_flux(labels, managers)
        or _of_argo(labels, annotations, managers)
        or _of_helm(labels, annotations, managers)
    )


def _managers(metadata: Json) -> Iterator[str]:
    """Who manages the data of the object."""
    for entry in metadata.get("managedFields") or ():
        if "f:data" in (entry.get("fieldsV1") or {}):
            yield str(entry.get("manager", ""))


def _of_flux(labels: Json, managers: set[str]) -> Owner | None:
    for kind, group, manager in (
        ("HelmRelease", "helm.toolkit.fluxcd.io", "helm-controller"),
        ("Kustomization", "kustomize.toolkit.fluxcd.io", "kustomize-controller"),
    ):
        name = labels.get(f"{group}/name")
        if not name and manager not in managers:
            continue
        namespace = labels.get(f"{group}/namespace")
        which = f"{namespace}/{name}" if namespace else name or ""
        whole = f"{kind} {which}".rstrip()
        if kind == "HelmRelease":
            return Owner(f"the {whole} of Flux", f"{_VALUES}, spec.values of the {whole}")
        return Owner(f"the {whole} of Flux", f"the manifest that the {whole} applies")
    return None


def _of_argo(labels: Json, annotations: Json, managers: set[str]) -> Owner | None:
    tracking = annotations.get("argocd.argoproj.io/tracking-id", "")
    name = str(tracking).partition(":")[0]
    signs = [*managers, *annotations]
    if not name and any(each.startswith("argocd") for each in signs):
        name = labels.get("argocd.argoproj.io/instance") or labels.get(
            "app.kubernetes.io/instance", ""
        )
    if not name:
        return None
    whole = f"Application {name}"
    return Owner(f"the {whole} of Argo CD", f"what the {whole} renders: {_VALUES}, or its manifest")


def _of_helm(labels: Json, annotations: Json, managers: set[str]) -> Owner | None:
    name = annotations.get("meta.helm.sh/release-name")
    managed = labels.get("app.kubernetes.io/managed-by") == "Helm"
    if not (name and managed) and "helm" not in managers:
        return None
    namespace = annotations.get("meta.helm.sh/release-namespace")
    which = f"{namespace}/{name}" if namespace and name else name or ""
    whole = f"release {which}".rstrip()
    return Owner(f"the {whole} of Helm", f"{_VALUES}, with helm upgrade of the {whole}")
