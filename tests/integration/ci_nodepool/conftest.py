"""Releases of the runner's chart on a real API server."""

from collections.abc import Iterator

import pytest

from agtool.ci_nodepool.runner.find import find
from agtool.ci_nodepool.runner.model import Runner
from agtool.ci_nodepool.runner.placement import Tables
from agtool.core.kube.session import Session, connect
from tests.cluster.api import Api
from tests.cluster.server import Server
from tests.gitlab_runner import Chart

KEY = "cloud.google.com/gke-preemptible"
WANTED = Tables({KEY: "true"}, {f"{KEY}=true": "NoSchedule"})


@pytest.fixture
def namespace(control_plane: Server, control_plane_namespace: str) -> Iterator[str]:
    """Give a namespace on the API server without controllers: nobody else empties it."""
    yield control_plane_namespace
    with control_plane.connect() as api:
        api.delete(f"/apis/apps/v1/namespaces/{control_plane_namespace}/deployments")


@pytest.fixture
def session(control_plane: Server) -> Iterator[Session]:
    """Give agtool's session with the API server."""
    with connect(kubeconfig=control_plane.kubeconfig) as session:
        yield session


@pytest.fixture
def api(control_plane: Server) -> Iterator[Api]:
    """Give the test's own session with the API server."""
    with control_plane.connect() as api:
        yield api


def install(api: Api, chart: Chart) -> Chart:
    """Make the objects of a release."""
    api.post(f"/api/v1/namespaces/{chart.namespace}/configmaps", chart.config_map)
    api.post(f"/apis/apps/v1/namespaces/{chart.namespace}/deployments", chart.deployment)
    return chart


def only(session: Session, namespace: str) -> Runner:
    """Return the one runner of a namespace."""
    (runner,) = find(session, namespace)
    return runner
