"""Who is affected by a taint, as the scheduler and the node lifecycle controller see it."""

from typing import Any

import pytest

from agtool.ci_nodepool.model import Node, Taint, Toleration, tolerated
from agtool.ci_nodepool.pool.fates import judge_daemonset, judge_pod

KEY = "cloud.google.com/gke-preemptible"
TAINT = Taint(KEY, "true", "NoSchedule")
EVICTS = Taint(KEY, "true", "NoExecute")
LINUX = {"kubernetes.io/os": "linux"}


def node(name: str, **labels: str) -> Node:
    return Node.from_api({"metadata": {"name": name, "labels": {**LINUX, **labels}}})


POOL = {"n1": node("n1", pool="ci", size="4"), "n2": node("n2", pool="ci", size="8")}
OTHERS = [node("o1"), node("o2", pool="web")]


def pod(on: str = "n1", owner: str = "ReplicaSet", **spec: Any) -> dict[str, Any]:
    metadata = {"name": "p", "namespace": "x", "ownerReferences": [{"kind": owner}]}
    return {"metadata": metadata, "spec": {"nodeName": on, **spec}}


def required(*terms: dict[str, Any]) -> dict[str, Any]:
    key = "requiredDuringSchedulingIgnoredDuringExecution"
    return {"nodeAffinity": {key: {"nodeSelectorTerms": list(terms)}}}


def expressions(*of: tuple[str, str, list[str]]) -> dict[str, Any]:
    return {"matchExpressions": [{"key": k, "operator": o, "values": v} for k, o, v in of]}


@pytest.mark.parametrize(
    ("tolerations", "taint", "fate"),
    [
        ([], TAINT, "stays"),
        ([], EVICTS, "evicted"),
        ([{"key": KEY, "operator": "Exists"}], TAINT, None),
        ([{"key": KEY, "operator": "Equal", "value": "true"}], TAINT, None),
        ([{"key": KEY, "value": "true", "effect": "NoSchedule"}], TAINT, None),
        ([{"key": KEY, "value": "false"}], TAINT, "stays"),
        ([{"key": KEY, "value": "true", "effect": "NoExecute"}], TAINT, "stays"),
        ([{"operator": "Exists"}], EVICTS, None),
        ([{"key": "other", "operator": "Exists"}], EVICTS, "evicted"),
        ([], Taint(KEY, "true", "PreferNoSchedule"), None),
    ],
)
def test_tolerations(tolerations: list[dict[str, str]], taint: Taint, fate: str | None) -> None:
    found = judge_pod(pod(tolerations=tolerations), [taint], POOL, OTHERS)
    assert (found.fate if found else None) == fate


@pytest.mark.parametrize(
    ("spec", "fate"),
    [
        ({"nodeSelector": {"pool": "ci"}}, "stranded"),
        ({"nodeSelector": LINUX}, "stays"),  # it could go elsewhere
        ({"affinity": required(expressions(("pool", "In", ["ci", "batch"])))}, "stranded"),
        ({"affinity": required(expressions(("pool", "Exists", [])))}, "stays"),
        ({"affinity": required(expressions(("pool", "NotIn", ["web"])))}, "stays"),
        ({"affinity": required(expressions(("size", "Gt", ["3"])))}, "stranded"),
        ({"affinity": required(expressions(("size", "Lt", ["5"])))}, "stranded"),
        (
            {
                "affinity": required(
                    expressions(("pool", "In", ["ci"])), expressions(("pool", "In", ["web"]))
                )
            },
            "stays",
        ),
    ],
)
def test_who_needs_the_pool(spec: dict[str, Any], fate: str) -> None:
    found = judge_pod(pod(**spec), [TAINT], POOL, OTHERS)
    assert found
    assert found.fate == fate
    waiting = judge_pod(pod(on="", **spec), [TAINT], POOL, OTHERS)
    assert (waiting.fate if waiting else None) == ("waits" if fate == "stranded" else None)


def test_pods_elsewhere_and_of_daemonsets_and_static_ones_are_left_out() -> None:
    assert judge_pod(pod(on="o1"), [TAINT], POOL, OTHERS) is None
    assert judge_pod(pod(owner="DaemonSet"), [TAINT], POOL, OTHERS) is None
    assert judge_pod(pod(owner="Node"), [TAINT], POOL, OTHERS) is None


def test_a_pod_that_is_being_deleted_is_left_out() -> None:
    ending = pod()
    assert judge_pod(ending, [TAINT], POOL, OTHERS)
    ending["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert judge_pod(ending, [TAINT], POOL, OTHERS) is None


def test_daemonsets() -> None:
    def daemonset(**spec: Any) -> dict[str, Any]:
        return {
            "metadata": {"name": "d", "namespace": "x"},
            "spec": {"template": {"spec": spec}},
        }

    found = judge_daemonset(daemonset(), [TAINT], POOL.values())
    assert found
    assert (found.kind, found.fate) == ("DaemonSet", "gone-on-new-nodes")
    everything = [{"operator": "Exists"}]
    assert judge_daemonset(daemonset(tolerations=everything), [TAINT], POOL.values()) is None
    elsewhere = {"nodeSelector": {"pool": "web"}}
    assert judge_daemonset(daemonset(**elsewhere), [TAINT], POOL.values()) is None


def test_a_toleration_of_a_job_is_one_of_a_pod() -> None:
    assert tolerated(TAINT, [Toleration(KEY, "true", "NoSchedule")])
    assert tolerated(TAINT, [Toleration(KEY)])
    assert not tolerated(TAINT, [Toleration(KEY, "")])
    assert not tolerated(TAINT, [Toleration("", "true")])
