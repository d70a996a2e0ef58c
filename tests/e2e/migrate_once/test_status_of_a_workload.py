"""`status` of what is not there, or has no pods; these need no node."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import pki
from tests.cluster.server import Server
from tests.e2e.conftest import Agtool, Done
from tests.servers.process import free_port

Status = Callable[..., Done]

POD = {"containers": [{"name": "main", "image": "shop", "command": ["agtool", "migrate-once"]}]}


@pytest.fixture
def status(agtool: Agtool, control_plane: Server, control_plane_namespace: str) -> Status:
    """Give what runs `status` in a namespace of the test."""

    def run(*arguments: str) -> Done:
        env = {"KUBECONFIG": str(control_plane.kubeconfig)}
        own = ("migrate-once", "status", *arguments, "-n", control_plane_namespace)
        return agtool.start(*own, env=env).wait()

    return run


def deployment(**spec: Any) -> dict[str, Any]:
    labels = {"app": "shop"}
    template = {"metadata": {"labels": labels}, "spec": POD}
    made = {"selector": {"matchLabels": labels}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "metadata": {"name": "shop"}, "spec": made}


@pytest.mark.parametrize("kind", ["deploy", "sts", "ds", "rs", "job", "cronjobs", "pod"])
def test_a_workload_that_is_not_there(status: Status, kind: str) -> None:
    done = status(f"{kind}/shop")
    assert done.exit_code == 3
    assert '"shop" not found' in done.stderr
    assert "kubectl" in done.stderr


def test_a_kind_that_the_cluster_does_not_know(status: Status) -> None:
    done = status("rollout/shop")
    assert done.exit_code == 3
    assert "does not know /apis/argoproj.io/v1alpha1" in done.stderr


@pytest.mark.parametrize(
    "name", ["shop", "deploy/", "deploy/a/b", "service/shop", "/shop", "a b/c"]
)
def test_what_is_no_workload(status: Status, name: str) -> None:
    done = status(name)
    assert done.exit_code == 2
    assert f"{name!r} is not KIND/NAME" in done.stderr
    assert "deployment/shop" in done.stderr


def test_no_workload_at_all(agtool: Agtool) -> None:
    for arguments in ((), ("",)):
        done = agtool.start("migrate-once", "status", *arguments).wait()
        assert done.exit_code == 2, done.stderr


@pytest.mark.parametrize(
    ("spec", "told"),
    [({"replicas": 0}, "it is scaled to 0"), ({"replicas": 1}, "kubectl describe deployment shop")],
)
def test_no_pods(
    status: Status,
    control_plane: Server,
    control_plane_namespace: str,
    spec: dict[str, Any],
    told: str,
) -> None:
    place = f"/apis/apps/v1/namespaces/{control_plane_namespace}/deployments"
    with control_plane.connect() as api:
        api.post(place, deployment(**spec))
    done = status("deploy/shop")
    assert done.exit_code == 3
    assert f"Deployment/shop in namespace {control_plane_namespace} has no pods" in done.stderr
    assert told in done.stderr
    failed = json.loads(status("deploy/shop", "-o", "json").stdout)
    assert [error["code"] for error in failed["errors"]] == ["no-pods"]


def test_pods_that_admission_refuses(
    status: Status, control_plane: Server, control_plane_namespace: str
) -> None:
    """As the Deployment's controller tells it."""
    place = f"/apis/apps/v1/namespaces/{control_plane_namespace}/deployments"
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
    condition |= {"message": "violates PodSecurity", "lastTransitionTime": "2026-11-29T08:00:00Z"}
    with control_plane.connect() as api:
        made = api.post(place, deployment())
        made["status"] = {"conditions": [condition]}
        api.put(f"{place}/shop/status", made)
    assert "has no pods: violates PodSecurity" in status("deploy/shop").stderr


def test_only_its_own_pods(
    status: Status, control_plane: Server, control_plane_namespace: str
) -> None:
    """Others have the same labels: a pod of nobody, and one of another Deployment."""
    place = f"/apis/apps/v1/namespaces/{control_plane_namespace}"
    pods = f"/api/v1/namespaces/{control_plane_namespace}/pods"
    expression = {"key": "app", "operator": "In", "values": ["shop", "other"]}
    with control_plane.connect() as api:
        body = deployment()
        body["spec"]["selector"]["matchExpressions"] = [expression]
        api.post(f"{place}/deployments", body)
        for name, owner, labels in (
            ("own", "shop-abc", {"pod-template-hash": "abc"}),
            ("another", "shop-two-abc", {"pod-template-hash": "abc"}),
            ("nobodys", "", {}),
        ):
            reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": True}
            reference |= {"name": owner, "uid": "00000000-0000-0000-0000-000000000001"}
            metadata: dict[str, Any] = {"name": name, "labels": {"app": "shop", **labels}}
            if owner:
                metadata["ownerReferences"] = [reference]
            api.post(pods, {"metadata": metadata, "spec": POD})
    done = status("deploy/shop", "-o", "json")
    (pod,) = json.loads(done.stdout)["data"]["pods"]
    assert (pod["pod"], pod["state"], pod["reason"]) == (
        "own",
        "pending",
        "the pod has no node yet",
    )
    done = status("deploy/shop", "--container", "nothing")
    assert (done.exit_code, "has a container nothing" in done.stderr) == (3, True)


def test_an_api_server_that_is_not_there(
    agtool: Agtool, control_plane: Server, tmp_path: Path
) -> None:
    kubeconfig = tmp_path / "config"
    url = f"https://127.0.0.1:{free_port()}"
    pki.write_kubeconfig(kubeconfig, url, control_plane.ca, "token")
    done = agtool.start(
        "migrate-once", "status", "deploy/shop", env={"KUBECONFIG": str(kubeconfig)}
    ).wait()
    assert done.exit_code == 4
    assert f"cannot reach {url}" in done.stderr


def test_no_kubeconfig(agtool: Agtool, tmp_path: Path) -> None:
    done = agtool.start(
        "migrate-once", "status", "deploy/shop", env={"KUBECONFIG": str(tmp_path / "none")}
    ).wait()
    assert done.exit_code == 3


def test_a_command_of_this_name_needs_dashes(agtool: Agtool, tmp_path: Path) -> None:
    own = ("migrate-once", "--database-url", f"sqlite:///{tmp_path}/a.db")
    done = agtool.start(*own, "status", "deploy/shop").wait()
    assert done.exit_code == 125
    assert "status is a word of agtool" in done.stderr
