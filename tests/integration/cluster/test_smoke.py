"""The cluster that other tests rely on is a real one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.api import APPLY, Api, Refused, define
from tests.cluster.cluster import Cluster
from tests.cluster.nodes import FakeNodes
from tests.cluster.server import Server
from tests.integration.cluster.conftest import eventually, execute, phase, run_pod

READ_PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}
READ_NODES = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}


def test_its_node_is_ready(cluster: Cluster) -> None:
    with cluster.connect() as api:
        node = api.get(f"/api/v1/nodes/{cluster.node}")
    conditions = {each["type"]: each["status"] for each in node["status"]["conditions"]}
    assert conditions["Ready"] == "True"
    assert "taints" not in node["spec"]


@pytest.mark.parametrize("image", ["pause", "busybox", "bash"])
def test_pods_run_from_our_images(cluster: Cluster, namespace: str, image: str) -> None:
    with cluster.connect() as api:
        run_pod(api, namespace, image, getattr(cluster.images, image))


def test_exec_tells_output_and_exit_code(cluster: Cluster, namespace: str) -> None:
    script = (
        'for f in /proc/*/comm; do echo "$(< $f)"; done; echo >&2 "no ${BASH_VERSION%%.*}"; exit 42'
    )
    with cluster.connect() as api:
        run_pod(api, namespace, "it", cluster.images.bash)
        done = execute(api.login, namespace, "it", "bash", "-c", script)
        assert done.code == 42
        assert b"pause\n" in done.stdout
        assert done.stderr.startswith(b"no ")
        assert execute(api.login, namespace, "it", "true").code == 0


def test_a_pod_reaches_the_api_by_its_service(cluster: Cluster, namespace: str) -> None:
    script = "busybox nc -w 5 $KUBERNETES_SERVICE_HOST $KUBERNETES_SERVICE_PORT </dev/null"
    with cluster.connect() as api:
        run_pod(api, namespace, "it", cluster.images.busybox)
        assert execute(api.login, namespace, "it", "sh", "-c", script).code == 0


def test_a_deployment_has_its_pods(cluster: Cluster, namespace: str) -> None:
    pods = f"/api/v1/namespaces/{namespace}/pods"
    deployments = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    labels = {"app": "it"}
    containers = [{"name": "main", "image": cluster.images.pause}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    with cluster.connect() as api:
        api.post(deployments, {"metadata": {"name": "it"}, "spec": spec})

        def running() -> int:
            return [phase(pod) for pod in api.get(pods)["items"]].count("Running")

        eventually(lambda: running() == 2, "two pods run")


@pytest.mark.kubernetes  # it names its fixtures while it runs
@pytest.mark.parametrize("server", ["cluster", "control_plane"])
def test_rbac_denies(
    server: str, restricted_user: Callable[..., Path], request: pytest.FixtureRequest
) -> None:
    upstream: Server = request.getfixturevalue(server)
    with Api(restricted_user(upstream, [READ_NODES])) as api:
        assert api.get("/api/v1/nodes")["kind"] == "NodeList"
        with pytest.raises(Refused, match="cannot list resource") as refused:
            api.get("/api/v1/pods")
        assert refused.value.status == 403
    with Api(restricted_user(upstream, [READ_PODS], "default")) as api:
        assert api.get("/api/v1/namespaces/default/pods")["kind"] == "PodList"
        with pytest.raises(Refused, match="cannot list resource"):
            api.get("/api/v1/namespaces/kube-system/pods")


def test_a_stale_version_conflicts(
    control_plane: Server, fake_nodes: Callable[..., list[str]]
) -> None:
    (name,) = fake_nodes(1)
    path = f"/api/v1/nodes/{name}"
    with control_plane.connect() as api:
        stale = api.get(path)
        api.patch(path, {"metadata": {"labels": {"touched": "yes"}}})
        with pytest.raises(Refused, match="object has been modified") as refused:
            api.put(path, stale)
        assert refused.value.status == 409


def test_two_managers_of_one_field_conflict(cluster: Cluster, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps/it"

    def apply(api: Api, manager: str, value: str) -> None:
        what = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "it"}}
        body = {**what, "data": {"a": value}}
        query = {"fieldManager": manager}
        api.request("PATCH", path, body, query=query, content_type=APPLY)

    with cluster.connect() as api:
        apply(api, "first", "1")
        with pytest.raises(Refused, match=r'conflict with "first": \.data\.a') as refused:
            apply(api, "second", "2")
        assert (refused.value.status, refused.value.reason) == (409, "Conflict")
        assert api.get(path)["data"] == {"a": "1"}


def test_an_image_as_a_volume(cluster: Cluster, namespace: str) -> None:
    images = cluster.images
    volume = {"name": "tools", "image": {"reference": images.busybox, "pullPolicy": "Never"}}
    container = {
        "name": "main",
        "image": images.pause,
        "imagePullPolicy": "Never",
        "volumeMounts": [{"name": "tools", "mountPath": "/tools"}],
    }
    script = "/tools/bin/touch /tools/x || echo of /tools/bin/*sh"
    with cluster.connect() as api:
        run_pod(api, namespace, "it", images.pause, containers=[container], volumes=[volume])
        done = execute(api.login, namespace, "it", "/tools/bin/sh", "-c", script)
    assert b"Read-only file system" in done.stderr
    assert b"/tools/bin/sh" in done.stdout


def test_a_native_sidecar_ends_with_its_pod(cluster: Cluster, namespace: str) -> None:
    image = {"image": cluster.images.busybox, "imagePullPolicy": "Never"}
    sidecar = {"name": "beside", "restartPolicy": "Always", **image}
    main = {"name": "main", "command": ["sh", "-c", "exit 3"], **image}
    spec = {"initContainers": [sidecar], "containers": [main], "restartPolicy": "Never"}
    path = f"/api/v1/namespaces/{namespace}/pods"
    with cluster.connect() as api:
        api.post(path, {"metadata": {"name": "it"}, "spec": spec})
        eventually(lambda: phase(api.get(f"{path}/it")) == "Failed", "the pod is over")
        status = api.get(f"{path}/it")["status"]
    (ended,) = status["containerStatuses"]
    assert ended["state"]["terminated"]["exitCode"] == 3
    (ended,) = status["initContainerStatuses"]
    assert "terminated" in ended["state"]


def test_pod_security_is_enforced(cluster: Cluster, namespace: str) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    words = 'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false'
    with cluster.connect() as api:
        api.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": labels}})
        with pytest.raises(Refused, match=words) as refused:
            run_pod(api, namespace, "it", cluster.images.pause)
        assert refused.value.status == 403


def test_custom_resources(control_plane: Server) -> None:
    group = "tests.agtool.example"
    names = {"plural": "pools", "kind": "Pool"}
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    spec = {"group": group, "names": names, "scope": "Cluster", "versions": [version]}
    kinds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    name = f"pools.{group}"
    labels = {"a": "1", "b": "2"}
    with control_plane.connect() as api:
        define(api, {"metadata": {"name": name}, "spec": spec})
        try:
            pool = {"apiVersion": f"{group}/v1", "kind": "Pool"}
            api.post(
                f"/apis/{group}/v1/pools", {**pool, "metadata": {"name": "it", "labels": labels}}
            )
            assert api.get(f"/apis/{group}/v1/pools/it")["metadata"]["labels"] == labels
        finally:
            api.delete(f"{kinds}/{name}")


@pytest.mark.timeout(300)
def test_five_thousand_nodes(control_plane: Server, fake_nodes: Callable[..., list[str]]) -> None:
    taint = {"key": "ci", "value": "yes", "effect": "NoSchedule"}
    with control_plane.connect() as api:
        made = fake_nodes(5000, labels={"pool": "ci"}, taints=[taint])
        nodes = api.get("/api/v1/nodes", labelSelector="pool=ci")["items"]
    assert sorted(node["metadata"]["name"] for node in nodes) == sorted(made)
    assert all(node["spec"]["taints"] == [taint] for node in nodes)
    assert {each["status"] for node in nodes for each in node["status"]["conditions"]} == {"True"}


def test_fake_nodes_are_as_wanted_and_go(control_plane: Server) -> None:
    with control_plane.connect() as api:
        with FakeNodes(control_plane) as nodes:
            (name,) = nodes.make(1, prefix="plain")
            assert "taints" not in api.get(f"/api/v1/nodes/{name}")["spec"]
        assert not api.exists(f"/api/v1/nodes/{name}")
