"""What the API server says of injected pods, where `restricted` is enforced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from agtool.migrate_once.inject.additions import Wish
from agtool.migrate_once.inject.manifests import File
from agtool.migrate_once.inject.run import inject
from tests.cluster.api import Api, Refused
from tests.cluster.server import Server

IMAGE = "registry.example/agtool:1"
PLACES = {
    "Deployment": ("/apis/apps/v1", "deployments"),
    "StatefulSet": ("/apis/apps/v1", "statefulsets"),
    "DaemonSet": ("/apis/apps/v1", "daemonsets"),
    "ReplicaSet": ("/apis/apps/v1", "replicasets"),
    "Job": ("/apis/batch/v1", "jobs"),
    "CronJob": ("/apis/batch/v1", "cronjobs"),
    "Pod": ("/api/v1", "pods"),
}


@pytest.fixture
def restricted(control_plane: Server, control_plane_namespace: str) -> Iterator[tuple[Api, str]]:
    """Give an API and a namespace in which pods that are not `restricted` are refused."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    with control_plane.connect() as api:
        path = f"/api/v1/namespaces/{control_plane_namespace}"
        api.patch(path, {"metadata": {"labels": labels}})
        yield api, control_plane_namespace


def pod() -> dict[str, Any]:
    """The specification of pods that are `restricted`."""
    return {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "initContainers": [
            {**container("proxy"), "restartPolicy": "Always"},
            {**container("migrate"), "command": ["migrate", "up"], "args": ["--all"]},
        ],
        "containers": [container("shop")],
        "volumes": [{"name": "data", "emptyDir": {}}],
    }


def container(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "image": "registry.example/shop:1.4.2",
        "env": [{"name": "DATABASE_URL", "value": "postgresql://db/shop"}],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "resources": {"limits": {"cpu": 0.5, "memory": "64Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsUser": 1000660000,
        },
    }


def manifest(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    """A manifest of that kind with such pods."""
    group = PLACES[kind][0].removeprefix("/apis/").removeprefix("/api/")
    template = {"metadata": {"labels": {"app": "shop"}}, "spec": spec}
    selector = {"selector": {"matchLabels": {"app": "shop"}}}
    if kind in ("Job", "CronJob"):
        spec["restartPolicy"] = "Never"
    inner: dict[str, Any] = {
        "Pod": spec,
        "Job": {"template": template},
        "CronJob": {"schedule": "0 0 * * *", "jobTemplate": {"spec": {"template": template}}},
        "StatefulSet": {**selector, "serviceName": "shop", "template": template},
    }.get(kind, {**selector, "template": template})
    return {"apiVersion": group, "kind": kind, "metadata": {"name": "shop"}, "spec": inner}


def injected(data: dict[str, Any], wish: Wish) -> dict[str, Any]:
    """A manifest with what agtool adds."""
    (text,) = inject([File("manifest", json.dumps(data, indent=2))], None, wish).texts
    return dict(json.loads(text))


@pytest.mark.parametrize("method", ["copy", "image-volume"])
def test_every_kind_is_admitted(restricted: tuple[Api, str], method: str) -> None:
    api, namespace = restricted
    for kind, (group, plural) in PLACES.items():
        for wrap in (None, "migrate"):
            command = None if wrap else ("rails", "db:migrate")
            wish = Wish(IMAGE, method, (), None, command, None, wrap)
            made = injected(manifest(kind, pod()), wish)
            path = f"{group}/namespaces/{namespace}/{plural}"
            answer = api.post(path, made, dryRun="All", fieldValidation="Strict")
            spec = _spec(answer)
            names = [each["name"] for each in spec["initContainers"]]
            added = ["agtool-install"] * (method == "copy")
            if wrap:
                assert names == ["proxy", *added, "migrate"]
            else:
                assert names == ["proxy", "migrate", *added, "agtool-migrate-once"]
            # The controllers make pods of it, which are admitted by themselves.
            alone = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shop"}, "spec": spec}
            api.post(f"/api/v1/namespaces/{namespace}/pods", alone, dryRun="All")


def test_restricted_is_enforced(restricted: tuple[Api, str]) -> None:
    api, namespace = restricted
    spec = pod()
    del spec["containers"][0]["securityContext"]["capabilities"]
    with pytest.raises(Refused, match="restricted"):
        api.post(f"/api/v1/namespaces/{namespace}/pods", manifest("Pod", spec), dryRun="All")


def _spec(answer: dict[str, Any]) -> dict[str, Any]:
    spec = answer["spec"]
    while "containers" not in spec:
        spec = (spec.get("jobTemplate") or spec["template"])["spec"]
    return dict(spec)
