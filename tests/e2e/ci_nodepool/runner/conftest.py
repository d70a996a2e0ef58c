"""A runner in a real cluster, where Deployments roll out and pods run.

The manager is a busybox that stands in for gitlab-runner, which would need a GitLab to register
with. As the chart's entrypoint does, it takes the template at its start and never again.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tests.cluster.api import Api, Object
from tests.cluster.server import Server
from tests.e2e.ci_nodepool.conftest import KEY, Nodepool
from tests.e2e.conftest import Agtool, wait_until
from tests.gitlab_runner import Chart

MANAGER = """\
cp /configmaps/config.template.toml /etc/gitlab-runner/
cat /etc/gitlab-runner/config.template.toml
trap 'exit 0' TERM
touch /ready
while :; do sleep 0.2; done
"""
BROKEN = "if grep -q node_selector /configmaps/config.template.toml; then exit 1; fi\n"


class Release:
    """A release of the chart in a namespace."""

    def __init__(self, api: Api, chart: Chart) -> None:
        self.api = api
        self.chart = chart
        self.name = f"{chart.namespace}/{chart.name}"
        api.post(f"/api/v1/namespaces/{chart.namespace}/configmaps", chart.config_map)
        api.post(f"/apis/apps/v1/namespaces/{chart.namespace}/deployments", chart.deployment)

    def up(self) -> "Release":
        """Itself, with its manager running."""
        wait_until(self._is_up, "the manager runs")
        return self

    def deployment(self) -> Object:
        return self.api.get(
            f"/apis/apps/v1/namespaces/{self.chart.namespace}/deployments/{self.chart.name}"
        )

    def config_map(self) -> Object:
        return self.api.get(
            f"/api/v1/namespaces/{self.chart.namespace}/configmaps/{self.chart.name}"
        )

    def template(self) -> str:
        text: str = self.config_map()["data"]["config.template.toml"]
        return text

    def _is_up(self) -> bool:
        return bool(self.deployment()["status"].get("availableReplicas") == 1)

    def pods(self) -> list[Object]:
        """The manager's pods that are not told to end."""
        path = f"/api/v1/namespaces/{self.chart.namespace}/pods"
        pods = self.api.get(path, labelSelector=f"app={self.chart.name}")["items"]
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def pod(self) -> Object:
        """The manager's pod, once there is only one."""
        wait_until(lambda: len(self.pods()) == 1, "one pod of the manager is left")
        return self.pods()[0]

    def taken(self) -> str:
        """The template that the running manager took."""
        path = f"/api/v1/namespaces/{self.chart.namespace}/pods"
        return self.api.text(f"{path}/{self.pod()['metadata']['name']}/log")


@pytest.fixture(autouse=True)
def _alone(cluster: Server) -> None:
    """Wait until the runners of tests before are gone with their namespaces.

    In a cluster of one node their jobs, which go to any node, would be in the way of its taint.
    """
    with cluster.connect() as api:

        def is_alone() -> bool:
            going = {
                each["metadata"]["name"]
                for each in api.get("/api/v1/namespaces")["items"]
                if each["status"]["phase"] == "Terminating"
            }
            return not any(
                each["metadata"]["namespace"] in going
                for kind in ("deployments", "statefulsets")
                for each in api.get(f"/apis/apps/v1/{kind}")["items"]
            )

        wait_until(is_alone, "the runners of tests before are gone")


@pytest.fixture
def pool(cluster: Server) -> Iterator[None]:
    """Make the cluster's node one of the pool."""
    with cluster.connect() as api:
        (name,) = [node["metadata"]["name"] for node in api.get("/api/v1/nodes")["items"]][:1]
        api.patch(f"/api/v1/nodes/{name}", {"metadata": {"labels": {KEY: "true"}}})
        yield
        api.patch(f"/api/v1/nodes/{name}", {"metadata": {"labels": {KEY: None}}})


@pytest.fixture
def api(cluster: Server) -> Iterator[Api]:
    """Give the test's own session with the cluster."""
    with cluster.connect() as api:
        yield api


@pytest.fixture
def nodepool(agtool: Agtool, cluster: Server, api: Api) -> Nodepool:
    """Give what runs agtool ci-nodepool on the cluster."""
    return Nodepool(agtool, cluster, api)


@pytest.fixture
def install(api: Api, cluster: Server, namespace: str) -> Callable[..., Release]:
    """Give the function that installs a release; `more` are the settings of the chart."""
    images = cluster.images  # type: ignore[attr-defined]

    def make(script: str = MANAGER, **more: object) -> Release:
        chart = Chart(
            "0.86.0",
            namespace=namespace,
            image=images.busybox,
            command=["/bin/sh", "-c", script],
            readiness=["/bin/ls", "/ready"],
            grace=5,
        )
        return Release(api, replace(chart, **more))  # type: ignore[arg-type]

    return make
