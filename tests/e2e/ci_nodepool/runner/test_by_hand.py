"""A runner kept by hand, patched and put back in a real cluster."""

from typing import Any

import pytest

from tests.cluster.api import Api
from tests.cluster.server import Server
from tests.e2e.ci_nodepool.conftest import KEY, RECORD, Nodepool
from tests.e2e.conftest import wait_until
from tests.gitlab_runner import DEFAULT_TEMPLATE

# A busybox that stands in for gitlab-runner, which would need a GitLab to register with.
SCRIPT = "trap 'exit 0' TERM; : gitlab-runner run; while :; do sleep 0.2; done"


def make(api: Api, namespace: str, kind: str, image: str) -> str:
    """Make the runner; the path of its workload."""
    container = {
        "name": "runner",
        "image": image,
        "command": ["/bin/sh", "-c", SCRIPT],
        "volumeMounts": [{"name": "config", "mountPath": "/etc/gitlab-runner"}],
    }
    spec: Any = {
        "terminationGracePeriodSeconds": 5,
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "ci-config"}}],
    }
    workload: Any = {
        "metadata": {"name": "ci"},
        "spec": {
            "selector": {"matchLabels": {"app": "ci"}},
            "template": {"metadata": {"labels": {"app": "ci"}}, "spec": spec},
        },
    }
    if kind == "statefulsets":
        workload["spec"]["serviceName"] = "ci"
    data = {"config.toml": f"concurrent = 4\n{DEFAULT_TEMPLATE}"}
    core = f"/api/v1/namespaces/{namespace}/configmaps"
    api.post(core, {"metadata": {"name": "ci-config"}, "data": data})
    path = f"/apis/apps/v1/namespaces/{namespace}/{kind}"
    api.post(path, workload)
    return f"{path}/ci"


@pytest.mark.usefixtures("pool")
@pytest.mark.parametrize("kind", ["deployments", "statefulsets"])
def test_it_is_patched_restarted_and_put_back(
    nodepool: Nodepool, api: Api, cluster: Server, namespace: str, kind: str
) -> None:
    images = cluster.images  # type: ignore[attr-defined]
    path = make(api, namespace, kind, images.busybox)
    wait_until(lambda: api.get(path)["status"].get("availableReplicas") == 1, "it runs")
    config_map = f"/api/v1/namespaces/{namespace}/configmaps/ci-config"
    before = api.get(config_map)["data"]["config.toml"]

    done = nodepool("patch-runner", "--runner", f"{namespace}/ci")
    assert done.exit_code == 0, done.stderr
    assert f'"{KEY}" = "true"' in api.get(config_map)["data"]["config.toml"]
    assert "restartedAt" in str(api.get(path)["spec"]["template"])

    done = nodepool("undo", "--yes", "-n", namespace)
    assert done.exit_code == 0, done.stderr
    there = api.get(config_map)
    assert there["data"]["config.toml"] == before
    assert RECORD not in there["metadata"].get("annotations", {})
