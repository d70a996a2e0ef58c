"""Who puts back what is changed live, and that agtool keeps no field of theirs."""

from typing import Any

import pytest

from agtool.ci_nodepool.model import RECORD
from agtool.ci_nodepool.runner.fields import release
from agtool.ci_nodepool.runner.ownership import owner

DATA: Any = {"f:data": {"f:config.template.toml": {}}}


def manifest(
    labels: Any = None, annotations: Any = None, manager: str = "", fields: Any = None
) -> Any:
    entries = [{"manager": manager, "fieldsV1": fields or DATA}] if manager else []
    metadata = {"labels": labels or {}, "annotations": annotations or {}, "managedFields": entries}
    return {"metadata": metadata}


HELM = {"meta.helm.sh/release-name": "ci", "meta.helm.sh/release-namespace": "gitlab"}


@pytest.mark.parametrize(
    ("there", "name"),
    [
        (
            manifest(
                {"helm.toolkit.fluxcd.io/name": "ci", "helm.toolkit.fluxcd.io/namespace": "build"}
            ),
            "HelmRelease build/ci",
        ),
        (
            # Helm's own marks are there too: what Flux installs, Helm installs.
            manifest(
                {
                    "helm.toolkit.fluxcd.io/name": "ci",
                    "helm.toolkit.fluxcd.io/namespace": "build",
                    "app.kubernetes.io/managed-by": "Helm",
                },
                HELM,
            ),
            "HelmRelease build/ci",
        ),
        (
            manifest(
                {
                    "kustomize.toolkit.fluxcd.io/name": "apps",
                    "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
                }
            ),
            "Kustomization flux-system/apps",
        ),
        (manifest(manager="kustomize-controller"), "Kustomization of Flux"),
        (
            manifest(annotations={"argocd.argoproj.io/tracking-id": "ci:/ConfigMap:build/ci"}),
            "Application ci",
        ),
        (
            manifest({"app.kubernetes.io/instance": "ci"}, manager="argocd-controller"),
            "Application ci",
        ),
        (
            manifest({"app.kubernetes.io/instance": "ci"}, {"argocd.argoproj.io/sync-wave": "1"}),
            "Application ci",
        ),
        (manifest({"app.kubernetes.io/managed-by": "Helm"}, HELM), "release gitlab/ci"),
        (manifest(manager="helm"), "release of Helm"),
    ],
)
def test_owners(there: Any, name: str) -> None:
    found = owner(there)
    assert found is not None
    assert name in found.name
    assert found.change


@pytest.mark.parametrize(
    "there",
    [
        manifest(),
        manifest({"heritage": "Helm"}),
        manifest({"app.kubernetes.io/instance": "ci"}),
        manifest({"app.kubernetes.io/managed-by": "Helm"}),
        manifest(annotations=HELM),
        manifest(manager="kubectl-client-side-apply"),
        manifest(manager="helm", fields={"f:metadata": {}}),
    ],
)
def test_what_says_nothing(there: Any) -> None:
    assert owner(there) is None


def test_the_data_is_given_up_and_its_time_is_kept() -> None:
    helm = {"manager": "helm", "operation": "Apply", "fieldsV1": {"f:data": {"f:a": {}}}}
    ours = {"manager": "agtool", "time": "2026-01-01T00:00:00Z", "fieldsV1": DATA}
    metadata = {
        "resourceVersion": "7",
        "annotations": {RECORD: '{"template":[]}'},
        "managedFields": [helm, ours],
    }
    patch = release({"metadata": metadata})
    assert patch == {
        "metadata": {
            "resourceVersion": "7",
            "managedFields": [helm],
            "annotations": {RECORD: '{"template":[],"changed":"2026-01-01T00:00:00Z"}'},
        }
    }
    assert release({"metadata": {**metadata, "managedFields": [helm]}}) is None
    alone = release({"metadata": {"resourceVersion": "7", "managedFields": [ours]}})
    assert alone == {"metadata": {"resourceVersion": "7", "managedFields": [{}]}}
