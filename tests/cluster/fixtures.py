"""Fixtures for tests with Kubernetes: see __init__.py for which to take."""

import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.cluster.api import accepts_pods
from tests.cluster.build import programs
from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import ControlPlane, loopback
from tests.cluster.given import GivenCluster, given
from tests.cluster.instances import own_folder
from tests.cluster.nodes import FakeNodes
from tests.cluster.proxy import ApiProxy
from tests.cluster.server import Server
from tests.cluster.users import Users
from tests.conftest import announce, needed

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def control_plane(pytestconfig: pytest.Config) -> Iterator[ControlPlane | GivenCluster]:
    """Give an API server without controllers and nodes: what a test puts there stays as it is.

    All tests share it. Who stops it has to start it again.
    """
    if there := given():
        yield there
        return
    announce(pytestconfig, "etcd and kube-apiserver")
    with needed(), own_folder() as folder:
        plane = ControlPlane(folder, programs(), loopback())
        plane.start()
        yield plane


@pytest.fixture(scope="session")
def scheduling(pytestconfig: pytest.Config) -> Iterator[ControlPlane]:
    """Give an API server and a scheduler: nodes stay as a test makes them, and pods are placed."""
    if given():
        pytest.skip("nodes that are objects only do not stay as they are made in a whole cluster")
    announce(pytestconfig, "etcd, kube-apiserver and kube-scheduler")
    with needed(), own_folder() as folder:
        plane = ControlPlane(folder, programs(), loopback(), scheduler=True)
        plane.start()
        yield plane


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Iterator[Cluster | GivenCluster]:
    """Give a cluster with a node, where pods run. All tests share it."""
    if there := given():
        yield there
        return
    announce(pytestconfig, "a Kubernetes cluster")
    with needed(), own_folder() as folder:
        started = Cluster(folder, programs())
        started.start()
        yield started


@contextmanager
def _namespace(server: Server) -> Iterator[str]:
    name = f"agtool-test-{os.getpid()}-{next(_numbers)}"
    with server.connect() as api:
        api.post("/api/v1/namespaces", {"metadata": {"name": name}})
        yield name
        # What is in it ends meanwhile.
        api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def namespace(cluster: Server) -> Iterator[str]:
    """Give a namespace in the cluster, in which pods can be made."""
    with _namespace(cluster) as name:
        with cluster.connect() as api:
            give_up = time.monotonic() + 30
            while not accepts_pods(api, name):
                assert time.monotonic() < give_up, f"no pod can be made in {name}"
                time.sleep(0.02)
        yield name


@pytest.fixture
def control_plane_namespace(control_plane: Server) -> Iterator[str]:
    """Give a namespace in the control plane without controllers."""
    with _namespace(control_plane) as name:
        yield name


@pytest.fixture
def fake_nodes(control_plane: Server) -> Iterator[Callable[..., list[str]]]:
    """Give the function that makes nodes on the control plane: see `FakeNodes.make`."""
    with FakeNodes(control_plane) as nodes:
        yield nodes.make


@pytest.fixture
def restricted_user(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Give the function that makes users: (server, rules, namespace=None), see `Users.make`."""
    with ExitStack() as stack:
        users: dict[int, Users] = {}

        def make(server: Server, *arguments: object, **more: object) -> Path:
            if id(server) not in users:
                users[id(server)] = stack.enter_context(Users(server, tmp_path))
            return users[id(server)].make(*arguments, **more)  # type: ignore[arg-type]

        yield make


@pytest.fixture
def api_proxy(tmp_path: Path) -> Iterator[Callable[..., ApiProxy]]:
    """Give the function that puts a proxy before an API server.

    It takes the server, or the kubeconfig of the user that the proxy is to be.
    """
    with ExitStack() as stack:

        def start(upstream: Server | Path) -> ApiProxy:
            kubeconfig = upstream if isinstance(upstream, Path) else upstream.kubeconfig
            folder = tmp_path / f"proxy-{next(_numbers)}"
            return stack.enter_context(ApiProxy(kubeconfig, folder))

        yield start
