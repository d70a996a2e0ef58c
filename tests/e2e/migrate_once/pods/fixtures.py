"""What tests in pods share with those of `make images`."""

import itertools
from collections.abc import Iterator

import pytest

from tests import bundles
from tests.cluster.cluster import Cluster
from tests.conftest import announce, needed
from tests.e2e.conftest import Agtool
from tests.e2e.migrate_once.pods.workload import AGTOOL, Shop
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import server_folder
from tests.tools.target import PostgreSQLTarget

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def pod_postgresql(cluster: Cluster, pytestconfig: pytest.Config) -> Iterator[PostgreSQL]:
    """Give a PostgreSQL that pods can reach."""
    announce(pytestconfig, "PostgreSQL for pods")
    with (
        server_folder() as folder,
        needed(),
        PostgreSQL(folder, listen=cluster.outside) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def agtool_image(cluster: Cluster, pytestconfig: pytest.Config) -> str:
    """Give the name of the image with agtool's folder, which the node has."""
    announce(pytestconfig, "making agtool's image")
    with needed():
        cluster.load(bundles.image())
    return AGTOOL


@pytest.fixture
def shop(
    agtool: Agtool,
    cluster: Cluster,
    namespace: str,
    pod_postgresql: PostgreSQL,
    agtool_image: str,  # noqa: ARG001  # the node has to have it
) -> Iterator[Shop]:
    """Give somebody who runs a workload in a namespace of the test, with a database of its own."""
    name = f"shop_{next(_numbers)}"
    pod_postgresql.create_role(name, f"{name} @ secret")
    pod_postgresql.create_database(name, owner=name)
    target = PostgreSQLTarget(pod_postgresql, name, name)
    with cluster.connect() as api:
        yield Shop(agtool, cluster, namespace, api, target)
    pod_postgresql.execute(f"DROP DATABASE {name} WITH (FORCE)")
    pod_postgresql.execute(f"DROP ROLE {name}")
