"""What a runner's manager lacks, so that jobs outlive its end: advice, and never the exit code."""

from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs would be one more package for this line

from agtool.ci_nodepool.check.judge import check, exit_code
from agtool.ci_nodepool.check.pools import of_label
from agtool.ci_nodepool.files.read import read
from agtool.ci_nodepool.files.text import File
from agtool.ci_nodepool.presets import PRESETS
from tests.gitlab_runner import Chart

SPOT = PRESETS["gke-spot"]
CONFIG = """\
[[runners]]
  [runners.kubernetes]
    poll_timeout = 600
    pod_disruption_budget = true
    [runners.kubernetes.pod_annotations]
      "cluster-autoscaler.kubernetes.io/safe-to-evict" = "false"
    [runners.kubernetes.node_selector]
      "cloud.google.com/gke-spot" = "true"
    [runners.kubernetes.node_tolerations]
      "cloud.google.com/gke-spot=true" = "NoSchedule"
"""
"""To which nothing is to be added."""

DEADLINE = 'environment = ["FF_USE_POD_ACTIVE_DEADLINE_SECONDS={}"]'


def values(config: str = CONFIG, **more: Any) -> list[Any]:
    """Of the chart."""
    return [{"runners": {"config": config}, **more}]


def rules(*verbs: str, resources: str = "pods") -> dict[str, Any]:
    return {"rules": [{"resources": [resources], "verbs": list(verbs)}]}


def rendered(grace: int = 3600, **container: Any) -> list[Any]:
    """What the chart makes of such values."""
    chart = Chart("0.86.0", namespace="default", template=CONFIG, grace=grace)
    deployment = chart.deployment
    deployment["spec"]["template"]["spec"]["containers"][0].update(container)
    return [chart.config_map, deployment]


def bound(*verbs: str, kind: str = "Role") -> list[Any]:
    """A role of the manager's service account."""
    api = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "r"}}
    own = [{"apiGroups": [""], "resources": ["secrets", "pods"], "verbs": list(verbs)}]
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": "default"}
    return [
        {**api, "kind": kind, "rules": own},
        {
            **api,
            "kind": f"{kind}Binding",
            "roleRef": {"kind": kind, "name": "r"},
            "subjects": [subject],
        },
    ]


CASES: dict[str, tuple[list[Any], list[str]]] = {
    "values of the chart": (values(), []),
    "the chart": (rendered(), []),
    "little time, by values": (values(terminationGracePeriodSeconds=60), ["manager-grace"]),
    "little time": (rendered(grace=30), ["manager-grace"]),
    "another signal": (rendered(lifecycle={"stopSignal": "SIGTERM"}), ["manager-signal"]),
    "rules that lack watch, by values": (values(rbac=rules("get", "list")), ["loss-unseen"]),
    "rules about something else, by values": (
        values(rbac=rules("*", resources="secrets")),
        ["loss-unseen"],
    ),
    "all rights, by values": (values(rbac=rules("*", resources="*")), []),
    "no rules, by values": (values(rbac={"rules": []}), []),
    "a Role that lacks watch": ([*rendered(), *bound("get", "list")], ["loss-unseen"]),
    "a Role": ([*rendered(), *bound("get", "list", "watch")], []),
    "a ClusterRole": ([*rendered(), *bound("*", kind="ClusterRole")], []),
    "no deadline": (
        values(CONFIG.replace("[[runners]]", f"[[runners]]\n{DEADLINE.format('false')}")),
        ["left-pods"],
    ),
    "a deadline": (
        values(CONFIG.replace("[[runners]]", f"[[runners]]\n{DEADLINE.format('true')}")),
        [],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_the_manager_lacks_is_advice(case: str) -> None:
    documents, codes = CASES[case]
    found = read([File("f.yaml", yaml.safe_dump_all(documents))], "default")
    checked = check(found, of_label(SPOT.pool, ()))
    (runner,) = checked.runners
    assert [each.code for each in runner.advice] == codes
    assert all(each.hint for each in runner.advice)
    assert exit_code(checked) == 0
