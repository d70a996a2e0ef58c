"""apply and undo in a real cluster of one node, where a runner cannot start once it is tainted."""

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.ci_nodepool.conftest import KEY, RECORD, TAINT, Nodepool
from tests.e2e.ci_nodepool.runner.conftest import BROKEN, MANAGER, Release
from tests.gitlab_runner import DEFAULT_TEMPLATE

# It must not make the node unusable for other tests that run after a failure.
pytestmark = pytest.mark.usefixtures("pool", "untainted")


@pytest.fixture
def node(nodepool: Nodepool) -> str:
    """Give the name of the only node."""
    nodes = nodepool.api.get("/api/v1/nodes", labelSelector=f"{KEY}=true")["items"]
    (name,) = [node["metadata"]["name"] for node in nodes]
    return str(name)


@pytest.fixture
def untainted(nodepool: Nodepool, node: str) -> Iterator[None]:
    """Take our taint off the node in the end."""
    yield
    if TAINT in nodepool.taints(node):
        nodepool("untaint", node)


def test_apply_and_undo(
    nodepool: Nodepool,
    install: Callable[..., Release],
    node: str,
) -> None:
    release = install().up()
    planned = nodepool.json("apply", "--dry-run", "--runner", release.name)
    assert planned["exit_code"] == 0, planned
    assert planned["data"]["planned"][0]["node"] == node
    assert planned["data"]["runner"]["entries"]["node_selector"] == {KEY: "true"}
    assert TAINT not in nodepool.taints(node)

    # A busybox cannot tolerate the taint: it is the manager, and must not be on the pool. That the
    # rollout succeeds shows that the taint comes last.
    done = nodepool("apply", "--yes", "--runner", release.name)
    assert done.exit_code == 0, done.stderr
    assert f"{release.name} is changed and restarted" in done.stdout
    assert "apply: 1 node changed" in done.stdout
    assert TAINT in nodepool.taints(node)
    assert f'"{KEY}" = "true"' in release.template()
    again = nodepool.json("apply", "--yes", "--runner", release.name)
    assert again["exit_code"] == 0
    assert again["data"]["changed"] == []
    assert again["data"]["runner"]["changed"] is False

    status = nodepool.json("status", "-n", release.chart.namespace, "--skip-pods")
    assert {problem["code"] for problem in status["data"]["problems"]} <= {"manager-in-pool"}

    done = nodepool("undo", "--yes", "-n", release.chart.namespace)
    assert done.exit_code == 0, done.stderr
    assert f"{release.name} is changed and restarted" in done.stdout
    assert release.template() == DEFAULT_TEMPLATE
    assert TAINT not in nodepool.taints(node)
    assert RECORD not in nodepool.node(node)["metadata"].get("annotations", {})


def test_a_runner_that_does_not_come_up_leaves_the_nodes_alone(
    nodepool: Nodepool,
    install: Callable[..., Release],
    node: str,
) -> None:
    release = install(BROKEN + MANAGER).up()
    done = nodepool("apply", "--yes", "--runner", release.name)
    assert done.exit_code == 1
    assert release.template() == DEFAULT_TEMPLATE
    assert TAINT not in nodepool.taints(node)
