"""The emitted manifest: the API server takes it, and watch works with the rights in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs would be one more package for this line

from tests.cluster import pki
from tests.cluster.api import Api, Refused
from tests.cluster.server import Server
from tests.e2e.ci_nodepool.conftest import SPOT, TAINT, MakeNodes, Nodepool
from tests.e2e.conftest import wait_until


def paths(namespace: str) -> dict[str, str]:
    """The collections of the manifest's kinds."""
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    return {
        "ServiceAccount": f"/api/v1/namespaces/{namespace}/serviceaccounts",
        "ClusterRole": f"{rbac}/clusterroles",
        "ClusterRoleBinding": f"{rbac}/clusterrolebindings",
        "Deployment": f"/apis/apps/v1/namespaces/{namespace}/deployments",
    }


@contextmanager
def applied(api: Api, namespace: str, documents: list[dict[str, Any]]) -> Iterator[None]:
    """Make the objects, and remove them at the end."""
    made = []
    try:
        for document in documents:
            path = paths(namespace)[document["kind"]]
            api.post(path, document)
            made.append(f"{path}/{document['metadata']['name']}")
        yield
    finally:
        for path in made:
            api.delete(path)


def test_watch_as_the_emitted_manifest_runs_it(
    nodepool: Nodepool,
    control_plane: Server,
    control_plane_namespace: str,
    fake_nodes: MakeNodes,
    tmp_path: Path,
) -> None:
    namespace, api = control_plane_namespace, nodepool.api
    done = nodepool("emit", "watch", "-n", namespace, "--preset", "gke-preemptible")
    assert done.exit_code == 0, done.stderr
    documents = list(yaml.safe_load_all(done.stdout))
    assert [document["kind"] for document in documents] == list(paths(namespace))
    with applied(api, namespace, documents):
        account = f"{paths(namespace)['ServiceAccount']}/{documents[0]['metadata']['name']}"
        request = {"spec": {"expirationSeconds": 3600}}
        token = api.post(f"{account}/token", request)["status"]["token"]
        kubeconfig = tmp_path / "kubeconfig"
        pki.write_kubeconfig(kubeconfig, control_plane.url, control_plane.ca, token)

        def may(method: str, path: str) -> bool:
            with Api(kubeconfig) as own:
                try:
                    own.request(method, path)
                except Refused as refused:
                    return refused.status != 403
                return True

        wait_until(lambda: may("GET", "/api/v1/nodes"), "RBAC took in the role")
        assert not may("GET", "/api/v1/pods")
        assert not may("DELETE", "/api/v1/nodes/none")

        (container,) = documents[3]["spec"]["template"]["spec"]["containers"]
        arguments = container["args"]
        # The pod has its port to itself; here others may have it.
        arguments[arguments.index(":8080")] = "127.0.0.1:0"
        running = nodepool.agtool.start(*arguments, env={"KUBECONFIG": str(kubeconfig)})
        running.wait_for("watching")
        (name,) = fake_nodes(1, SPOT)
        wait_until(lambda: TAINT in nodepool.taints(name), "the new node is tainted")


GROUP = "/apis/admissionregistration.k8s.io/v1"


@contextmanager
def policies(api: Api, documents: list[dict[str, Any]]) -> Iterator[None]:
    """Make a policy and its binding, and remove them at the end."""
    made = []
    try:
        for document in documents:
            plural = f"{document['kind'].lower()}s".replace("policys", "policies")
            path = f"{GROUP}/{plural}"
            api.post(path, document)
            made.append(f"{path}/{document['metadata']['name']}")
        yield
    finally:
        for path in reversed(made):
            api.delete(path)


def test_the_api_server_taints_new_nodes_by_the_emitted_policy(
    nodepool: Nodepool,
) -> None:
    api = nodepool.api
    if not any(each["name"] == "mutatingadmissionpolicies" for each in api.get(GROUP)["resources"]):
        pytest.skip("this Kubernetes has no MutatingAdmissionPolicy of version v1")
    options = ("-l", "pool=ci", "--taint", "a=b:NoSchedule", "--taint", "c:NoExecute")
    done = nodepool("emit", "admission", *options)
    assert done.exit_code == 0, done.stderr
    wanted = [
        {"key": "a", "value": "b", "effect": "NoSchedule"},
        {"key": "c", "effect": "NoExecute"},
    ]
    there = {"key": "a", "value": "mine", "effect": "NoSchedule"}
    numbers = iter(range(1000))

    def taints(labels: dict[str, str], own: list[Any]) -> list[Any]:
        # As a kubelet registers it: created in one request.
        name = f"admission-{next(numbers)}"
        metadata = {"name": name, "labels": labels}
        api.post("/api/v1/nodes", {"metadata": metadata, "spec": {"taints": own} if own else {}})
        found: list[Any] = api.get(f"/api/v1/nodes/{name}")["spec"].get("taints", [])
        api.delete(f"/api/v1/nodes/{name}")
        return found

    with policies(api, list(yaml.safe_load_all(done.stdout))):
        wait_until(lambda: taints({"pool": "ci"}, []) == wanted, "the policy is in force")
        assert taints({"pool": "ci"}, [there]) == [there, wanted[1]]
        assert taints({"pool": "other"}, []) == []
        assert taints({}, [there]) == [there]
    wait_until(lambda: taints({"pool": "ci"}, []) == [], "the policy is gone")
