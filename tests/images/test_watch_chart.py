"""The chart of watch, rolled out by the real Helm with the image of `make bundle`."""

from __future__ import annotations

import subprocess
from pathlib import Path

from agtool import __version__
from bundle.selection import FULL
from tests import bundles
from tests.cluster import build
from tests.cluster.cluster import Cluster
from tests.conftest import needed
from tests.e2e.conftest import clean_environment, wait_until

CHART = Path(__file__).parents[2] / "deploy/ci-nodepool-watch/chart"
VALUES = ("--set", "watch.selector=pool\\=ci", "--set", "watch.keep={dedicated=ci:NoSchedule}")


def test_a_rollout(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    with needed():
        program = build.helm()
        cluster.load(bundles.image(FULL))
    env = clean_environment({"HOME": str(tmp_path), "KUBECONFIG": str(cluster.kubeconfig)})

    def helm(*arguments: str | Path) -> str:
        argv = [program, *arguments, "--namespace", namespace]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    with cluster.connect() as api:
        node = {"metadata": {"name": f"ci-{namespace}", "labels": {"pool": "ci"}}}
        api.post("/api/v1/nodes", node)
        path = f"/api/v1/nodes/{node['metadata']['name']}"
        try:
            said = helm("install", "watch", CHART, "--wait", "--timeout", "90s", *VALUES)
            assert f"kubectl -n {namespace} logs" in said

            def tainted() -> bool:
                taints = api.get(path)["spec"].get("taints", [])
                return any(taint["key"] == "dedicated" for taint in taints)

            wait_until(tainted, "the pod has tainted the node")
            (pod,) = api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
            (status,) = pod["status"]["containerStatuses"]
            assert status["ready"]
            assert status["image"].endswith(f":{__version__}")
            helm("uninstall", "watch", "--wait")
            left = api.get("/apis/rbac.authorization.k8s.io/v1/clusterroles")["items"]
            assert not [role for role in left if namespace in role["metadata"]["name"]]
        finally:
            api.delete(path)
