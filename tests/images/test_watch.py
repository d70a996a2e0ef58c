"""`deploy/ci-nodepool-watch` as it is, with the image of `make bundle`, on the cluster."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bundle.selection import FULL
from tests import bundles
from tests.cluster.api import Api
from tests.cluster.server import Server
from tests.conftest import needed
from tests.e2e.conftest import clean_environment, wait_until

MANIFEST = Path(__file__).parents[2] / "deploy/ci-nodepool-watch/watch.yaml"
PODS = "/api/v1/namespaces/kube-system/pods"
NAME = "agtool-ci-nodepool"
LABEL = "eks.amazonaws.com/capacityType"
TAINT = {"key": LABEL, "value": "SPOT", "effect": "NoSchedule"}

Kubectl = Callable[..., str]


@pytest.fixture
def api(cluster: Server) -> Iterator[Api]:
    """Give the test's own session with the cluster."""
    with cluster.connect() as api:
        yield api


@pytest.fixture
def kubectl(cluster: Server) -> Kubectl:
    """Give the function that runs kubectl; its output."""

    def run(*arguments: str | Path, wanted: int = 0) -> str:
        done = subprocess.run(
            [cluster.kubectl, *arguments],
            env=clean_environment({"KUBECONFIG": str(cluster.kubeconfig)}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == wanted, done.stderr
        return done.stdout

    return run


@pytest.fixture
def deployed(cluster: Server, kubectl: Kubectl) -> Iterator[None]:
    """Deploy it with the commands of the how-to."""
    with needed():
        cluster.load(bundles.image(FULL))  # type: ignore[attr-defined]
    try:
        kubectl("apply", "-f", MANIFEST)
        yield
    finally:
        kubectl("delete", "-f", MANIFEST, "--ignore-not-found")


@pytest.fixture
def node(api: Api) -> Iterator[Callable[[str], None]]:
    """Give the function that makes a node of a provider."""
    made: list[str] = []

    def make(name: str) -> None:
        api.post("/api/v1/nodes", {"metadata": {"name": name, "labels": {LABEL: "SPOT"}}})
        made.append(name)

    yield make
    for name in made:
        api.delete(f"/api/v1/nodes/{name}")


def metrics(api: Api) -> list[str]:
    """What the pods have at /metrics."""
    pods = api.get(PODS, labelSelector=f"app.kubernetes.io/name={NAME}")["items"]
    names = [pod["metadata"]["name"] for pod in pods]
    return [api.text(f"{PODS}/{name}:8080/proxy/metrics") for name in names]


@pytest.mark.kubernetes
@pytest.mark.usefixtures("deployed")
def test_watch_is_deployed_as_it_is_written(
    api: Api, kubectl: Kubectl, node: Callable[[str], None]
) -> None:
    """It is ready where there is no pool, and taints the first node, also beside a second one."""
    rollout = ("-n", "kube-system", "rollout", "status", f"deployment/{NAME}", "--timeout=300s")
    kubectl(*rollout)

    def tainted(name: str) -> bool:
        return TAINT in (api.get(f"/api/v1/nodes/{name}")["spec"].get("taints") or [])

    node("spot-1")
    wait_until(lambda: tainted("spot-1"), "the first node is tainted")
    (text,) = metrics(api)
    assert "agtool_ci_nodepool_watch_nodes 1\n" in text
    assert "agtool_ci_nodepool_watch_repairs_total 1\n" in text

    kubectl("-n", "kube-system", "scale", f"deployment/{NAME}", "--replicas=2")
    kubectl(*rollout)
    for number in range(2, 6):
        node(f"spot-{number}")
    wait_until(lambda: all(tainted(f"spot-{n}") for n in range(2, 6)), "all are tainted")
    logs = kubectl("-n", "kube-system", "logs", "-l", f"app.kubernetes.io/name={NAME}")
    assert all(logs.count(f"node spot-{n}: +") == 1 for n in range(2, 6)), logs

    account = f"--as=system:serviceaccount:kube-system:{NAME}"
    for verb, wanted in (("list", 0), ("watch", 0), ("patch", 0), ("delete", 1), ("update", 1)):
        kubectl("auth", "can-i", verb, "nodes", account, wanted=wanted)
    kubectl("auth", "can-i", "list", "pods", account, wanted=1)
