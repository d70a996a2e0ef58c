"""What does not fit together is found, and what fits is not complained about."""

import dataclasses
import re
import time

import pytest

from agtool.ci_nodepool import documents
from agtool.ci_nodepool.model import Node, Taint
from agtool.ci_nodepool.pool.fates import Affected
from agtool.ci_nodepool.presets import DEFAULT, Pool
from agtool.ci_nodepool.runner import manager, survival
from agtool.ci_nodepool.runner.jobs import Jobs
from agtool.ci_nodepool.runner.plan import manager_in_pool
from agtool.ci_nodepool.runner.pod.build import JobPod
from agtool.ci_nodepool.show.status import view
from agtool.ci_nodepool.status.judge import judge
from agtool.ci_nodepool.status.pools import PoolStatus
from agtool.core.finding import Finding
from agtool.core.output import print_view

KEY = "cloud.google.com/gke-preemptible"
TAINT = Taint(KEY, "true", "NoSchedule")
SELECTOR = {KEY: "true"}


def node(name: str, *taints: Taint, ready: bool = True, **labels: str) -> Node:
    as_api = tuple(taint._asdict() for taint in taints)
    return Node(name, name, "1", "", labels or SELECTOR, as_api, "", ready=ready, cordoned=False)


def runner(*tolerations: Taint, selector: dict[str, str] | None = None) -> Jobs:
    spec = {
        "nodeSelector": SELECTOR if selector is None else selector,
        "tolerations": [{k: v for k, v in each._asdict().items() if v} for each in tolerations],
    }
    return Jobs("gitlab/runner", JobPod(spec))


GOOD = runner(TAINT)


def words(problems: list[Finding]) -> list[str]:
    return [problem.code for problem in problems]


def found(nodes: list[Node], *jobs: Jobs) -> list[str]:
    of_pool = [n for n in nodes if n.labels.items() >= SELECTOR.items()]
    pools = [PoolStatus(Pool((), f"{KEY}=true"), of_pool)] if of_pool else []
    return words(judge(pools, jobs, nodes))


@pytest.mark.parametrize(
    ("nodes", "jobs", "problems"),
    [
        ([node("a", TAINT), node("b", TAINT)], [GOOD], []),
        ([node("a", TAINT)], [], []),
        ([], [], []),
        ([node("a", TAINT), node("b", TAINT)], [runner()], ["deadlock"]),
        ([node("a", TAINT), node("b")], [runner()], ["blocked-nodes", "untainted-nodes"]),
        ([node("a", TAINT), node("b")], [GOOD], ["untainted-nodes"]),
        ([node("a")], [GOOD], ["open-pool"]),
        ([node("a", pool="other")], [GOOD], ["no-nodes"]),
        ([node("a", TAINT)], [runner(selector={})], ["not-sent"]),
        ([node("a", TAINT, ready=False)], [GOOD], ["no-ready-node"]),
        ([node("a", TAINT)], [GOOD.with_doubts("a flag")], ["doubt"]),
        # Kubernetes' own taints come and go with a node's health.
        ([node("a", TAINT, Taint("node.kubernetes.io/unreachable", "", "NoExecute"))], [GOOD], []),
    ],
)
def test_problems(nodes: list[Node], jobs: list[Jobs], problems: list[str]) -> None:
    assert found(nodes, *jobs) == problems


@pytest.mark.parametrize(
    ("pool", "hint"),
    [
        (Pool((), f"{KEY}=true", DEFAULT), "agtool ci-nodepool apply --runner gitlab/runner"),
        (Pool((), "pool=ci"), "agtool ci-nodepool apply -l pool=ci --runner gitlab/runner"),
    ],
)
def test_the_command_of_a_hint_means_the_same_pool(pool: Pool, hint: str) -> None:
    nodes = [node("a", TAINT, pool="ci")]
    (problem,) = judge([PoolStatus(pool, nodes)], [runner(selector={})], nodes)
    assert (problem.code, problem.hint) == ("not-sent", hint)
    nodes = [dataclasses.replace(node("a"), labels={"pool": "ci", **SELECTOR})]
    open_pool = judge([PoolStatus(Pool((), "pool=ci"), nodes)], [GOOD], nodes)
    assert [problem.hint for problem in open_pool] == [
        "agtool ci-nodepool apply -l pool=ci --runner gitlab/runner"
    ]


def test_many_nodes_are_shown_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    nodes = [node(f"n-{number:05}", TAINT) for number in range(5000)]
    nodes[4321] = node("n-bare")
    began = time.process_time()
    pool = PoolStatus(Pool((), f"{KEY}=true"), nodes).document()
    print_view(view(documents.Status([pool], [], [], [], [])))
    assert time.process_time() - began < 5  # it took 20
    first, *_ = [line for line in capsys.readouterr().out.splitlines() if line.startswith("n-")]
    assert "n-bare" in first


def test_what_all_nodes_have_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    other = Taint("a", "b", "NoSchedule")
    pool = PoolStatus(Pool((), f"{KEY}=true"), [node("a", TAINT), node("b", TAINT, other)])
    print_view(view(documents.Status([pool.document()], [], [], [], [])))
    told = capsys.readouterr().out
    assert told.count(str(TAINT)) == 1
    assert f"  all have {TAINT}\n" in told
    assert re.search(rf"^b +ready +- +{other}$", told, re.MULTILINE)
    assert "by agtool" not in told


def test_advice_stands_below_the_verdict_by_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    lacking = JobPod({"nodeSelector": SELECTOR})
    settings = survival.lacking({}, lacking.spec)
    advice = [survival.as_finding(each, f"runner {r}") for r in ("a", "b") for each in settings]
    advice += manager.of_grace(30, "runner a", "In the manager's pod:")
    pool = PoolStatus(Pool((), f"{KEY}=true"), [node("a", TAINT)]).document()
    print_view(view(documents.Status([pool], [], [], [], advice)))
    lines = capsys.readouterr().out.splitlines()
    verdict = lines.index("Everything fits together.")
    places = [line for line in lines[verdict:] if line.endswith(":") and line[0] not in " -"]
    assert places == [
        "So that jobs survive the loss of a node:",
        "In the runner's configuration, of a, b:",
        "In the manager's pod, of a:",
        "In .gitlab-ci.yml:",
    ]
    # One table each, which can be pasted.
    assert lines.count("    [runners.kubernetes]") == 1
    at = lines.index("    [runners.kubernetes]")
    assert lines[at + 1 : at + 3] == [
        "      poll_timeout = 600",
        "      pod_disruption_budget = true",
    ]


def test_the_worst_comes_first_and_says_what_to_do() -> None:
    pods = (
        Affected("Pod", "web", "shop", "a", "stays"),
        Affected("DaemonSet", "kube-system", "logs", "", "gone-on-new-nodes"),
    )
    pool = PoolStatus(Pool((), f"{KEY}=true"), [node("a", TAINT)], pods)
    faults = [manager_in_pool("gitlab/runner", "runs on a")]
    problems = judge([pool], [runner()], [node("a", TAINT)], faults)
    assert words(problems) == ["deadlock", "manager-in-pool", "strangers", "daemonsets"]
    assert f"--taint {TAINT}" in problems[0].hint
    assert "kube-system/logs" in problems[-1].message
