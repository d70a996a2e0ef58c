"""The runner that the tutorial practises with, on a cluster as `make cluster` gives it."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.server import Server
from tests.e2e.ci_nodepool.conftest import TAINT, Nodepool

MANIFEST = Path(__file__).parents[4] / "docs/tutorial/practice/runner.yaml"


@pytest.fixture
def kubectl(cluster: Server) -> Callable[..., None]:
    """Give the function that runs kubectl."""

    def run(*arguments: str | Path) -> None:
        environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
        subprocess.run([cluster.kubectl, *arguments], env=environment, check=True)

    return run


@pytest.fixture
def _runner(kubectl: Callable[..., None], nodepool: Nodepool) -> Iterator[None]:
    """Make the tutorial's runner, with the tutorial's commands."""
    kubectl("apply", "--filename", MANIFEST)
    yield
    # Should the test have failed: all others need the node without the taint.
    nodepool("undo", "--yes")
    kubectl("delete", "--filename", MANIFEST)


@pytest.mark.usefixtures("pool", "_runner")
def test_the_steps_of_the_tutorial(
    nodepool: Nodepool, cluster: Server, kubectl: Callable[..., None]
) -> None:
    kubectl("wait", "-n", "gitlab", "--for=condition=Available", "deployment/gitlab-runner")
    node: str = cluster.node  # type: ignore[attr-defined]
    name = "gitlab/gitlab-runner"
    assert f"jobs of runner {name} are sent to any node" in nodepool("status").stdout
    assert nodepool("apply", "--runner", name, "--dry-run").exit_code == 0
    assert nodepool.taints(node) == []
    assert nodepool("apply", "--runner", name, "--yes").exit_code == 0
    assert nodepool.taints(node) == [TAINT]
    # One node is all: the runner itself is on the pool, and nothing else is wrong with it.
    said = nodepool("status").stdout
    assert f"runner {name} itself runs on {node}" in said
    assert f"jobs of runner {name} are sent to any node" not in said
    assert nodepool("undo", "--yes").exit_code == 0
    assert nodepool.taints(node) == []
    assert f"jobs of runner {name} are sent to any node" in nodepool("status").stdout
