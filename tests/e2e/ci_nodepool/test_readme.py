"""The README's example of ci-nodepool, pasted."""

from collections.abc import Callable
from pathlib import Path

from tests.e2e.ci_nodepool.conftest import SPOT, MakeNodes, Nodepool
from tests.gitlab_runner import DEFAULT_TEMPLATE, Chart
from tests.readme import examples, paste


def test_neither_command_changes_anything(
    nodepool: Nodepool,
    fake_nodes: MakeNodes,
    runner: Callable[..., Chart],
    tmp_path: Path,
) -> None:
    runner(DEFAULT_TEMPLATE)
    names = fake_nodes(2, SPOT)
    before = nodepool.versions(names)
    status, dry_run = examples()["ci-nodepool"].strip().splitlines()
    env = {"KUBECONFIG": str(nodepool.kubeconfig)}
    shown = paste(status, tmp_path, env)
    # 1: something does not fit together, here that jobs are sent to any node.
    assert shown.returncode == 1, shown.stderr
    assert "2 nodes, 2 ready" in shown.stdout
    planned = paste(dry_run, tmp_path, env)
    assert planned.returncode == 0, planned.stderr
    assert names[0] in planned.stdout
    assert nodepool.versions(names) == before
