"""What speaks against a node."""

from typing import Any

import pytest

from agtool.core.errors import ConfigurationError
from agtool.debug.pod.node import judge_node


def node(system: str = "linux", **ready: str) -> dict[str, Any]:
    labels = {"kubernetes.io/os": system} if system else {}
    conditions = [{"type": "DiskPressure", "status": "False"}]
    status = {"conditions": [*conditions, *([{"type": "Ready", **ready}] if ready else [])]}
    return {"metadata": {"name": "n1", "labels": labels}, "status": status}


def test_a_node_that_is_ready() -> None:
    assert judge_node(node(status="True")) == ""
    assert judge_node(node("", status="True")) == ""


def test_a_node_that_is_not() -> None:
    lost = node(status="Unknown", message="Kubelet\nstopped posting", lastTransitionTime="12:00")
    told = judge_node(lost)
    assert told == "node n1 is not ready since 12:00: Kubelet stopped posting"
    assert judge_node(node()) == "node n1 is not ready: its kubelet has not reported"


def test_windows() -> None:
    with pytest.raises(ConfigurationError, match="node n1 runs windows"):
        judge_node(node("windows", status="True"))
    unlabelled = node("", status="True")
    unlabelled["status"]["nodeInfo"] = {"operatingSystem": "windows"}
    with pytest.raises(ConfigurationError, match="runs windows"):
        judge_node(unlabelled)
