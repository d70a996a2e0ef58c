"""agtool ci-nodepool against a real API server."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.api import Api, Object
from tests.cluster.server import Server
from tests.e2e.conftest import Agtool, Done
from tests.gitlab_runner import Chart

KEY = "cloud.google.com/gke-preemptible"
SPOT = {KEY: "true"}
TAINT = {"key": KEY, "value": "true", "effect": "NoSchedule"}
RECORD = "agtool/ci-nodepool"


class Nodepool:
    """`agtool ci-nodepool` as the administrator of the API server, and what is there then."""

    def __init__(self, agtool: Agtool, server: Server, api: Api) -> None:
        self.agtool = agtool
        self.kubeconfig = server.kubeconfig
        self.api = api

    def __call__(self, *arguments: str | Path, kubeconfig: Path | None = None) -> Done:
        """Run it to its end."""
        return self.agtool.run(
            "ci-nodepool", *arguments, env={"KUBECONFIG": str(kubeconfig or self.kubeconfig)}
        )

    def json(self, *arguments: str | Path, kubeconfig: Path | None = None) -> Any:
        """Run it to its end with --output json; the document."""
        done = self(*arguments, "--output", "json", kubeconfig=kubeconfig)
        document = json.loads(done.stdout)
        assert document["exit_code"] == done.exit_code
        return document

    def node(self, name: str) -> Object:
        """A node as it is now."""
        return self.api.get(f"/api/v1/nodes/{name}")

    def taints(self, name: str) -> list[Object]:
        """A node's taints as they are now."""
        taints: list[Object] = self.node(name)["spec"].get("taints", [])
        return taints

    def versions(self, names: Sequence[str]) -> list[str]:
        """The resourceVersions of nodes: whether anything was written."""
        return [self.node(name)["metadata"]["resourceVersion"] for name in names]


@pytest.fixture
def nodepool(agtool: Agtool, control_plane: Server) -> Iterator[Nodepool]:
    """Give what runs agtool ci-nodepool on the control plane."""
    with control_plane.connect() as api:
        yield Nodepool(agtool, control_plane, api)


MakeNodes = Callable[..., list[str]]


@pytest.fixture
def runner(nodepool: Nodepool, control_plane_namespace: str) -> Iterator[Callable[..., Chart]]:
    """Give the function that makes a runner, which nobody runs here, with a template."""

    def make(template: str) -> Chart:
        chart = Chart("0.86.0", namespace=control_plane_namespace, template=template)
        path = f"namespaces/{chart.namespace}"
        nodepool.api.post(f"/api/v1/{path}/configmaps", chart.config_map)
        nodepool.api.post(f"/apis/apps/v1/{path}/deployments", chart.deployment)
        return chart

    yield make
    nodepool.api.delete(f"/apis/apps/v1/namespaces/{control_plane_namespace}/deployments")
    nodepool.api.delete(f"/api/v1/namespaces/{control_plane_namespace}/configmaps")
