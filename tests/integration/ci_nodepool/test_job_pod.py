"""The pod that is judged is the pod that is scheduled, by the real scheduler.

Each generated configuration is read as agtool reads it, and the pod that it makes of it is created:
for each node once, held to that node by its name. The API server must take it, and the scheduler
must bind it or not, as predicted. What gitlab-runner itself makes of a configuration cannot be had
here; the table of what the real one did is in tests/unit/ci_nodepool/test_job_pod.py.
"""

import json
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest

from agtool.ci_nodepool.model import Node
from agtool.ci_nodepool.runner.jobs import Jobs
from agtool.ci_nodepool.runner.read import jobs_of
from tests.cluster.api import Api, Object, Refused
from tests.cluster.control_plane import ControlPlane
from tests.cluster.nodes import FakeNodes

KEYS = ("pool", "zone", "example.io/pipeline", "kubernetes.io/arch", "size")
VALUES = ("a", "b", "", "3", "12")
EFFECTS = ("NoSchedule", "NoExecute", "PreferNoSchedule")
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")


class Case(NamedTuple):
    """A configuration and where its jobs run."""

    text: str
    jobs: Jobs


class Generator:
    """Makes nodes and configurations out of few keys and values, so that they meet."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  # no secret

    def node(self) -> tuple[dict[str, str], list[Object]]:
        """The labels and taints of a node."""
        labels = {key: self.random.choice(VALUES) for key in self._some(KEYS, 3)}
        taints = [
            {"key": key, "value": self.random.choice(VALUES), "effect": effect}
            for key, effect in {(key, self.random.choice(EFFECTS)) for key in self._some(KEYS, 2)}
        ]
        return labels, [{k: v for k, v in taint.items() if v} for taint in taints]

    def text(self) -> str:
        """A template."""
        lines = ["[[runners]]"]
        patched = self.random.random() < 0.3
        if patched:
            lines.append('  environment = ["FF_USE_ADVANCED_POD_SPEC_CONFIGURATION=true"]')
        lines.append("  [runners.kubernetes]")
        lines += self._tolerations() + self._selector() + self._affinity()
        if patched:
            lines += self._patch()
        return "\n".join(lines) + "\n"

    def _some(self, items: tuple[str, ...], most: int) -> list[str]:
        return self.random.sample(items, self.random.randint(0, most))

    def _selector(self) -> list[str]:
        if self.random.random() < 0.5:
            return []
        entries = {key: self.random.choice(VALUES) for key in self._some(KEYS, 2)}
        name = self.random.choice(("node_selector", "Node_Selector"))
        return [f"    [runners.kubernetes.{name}]"] + [
            f"      {json.dumps(k)} = {json.dumps(v)}" for k, v in entries.items()
        ]

    def _tolerations(self) -> list[str]:
        forms = ["", "NoSchedule", "NoExecute", "PreferNoSchedule"]
        entries = {}
        for key in self._some((*KEYS, ""), 3):
            value = self.random.choice(("", *(f"={value}" for value in VALUES)))
            entries[f"{key}{value}"] = self.random.choice(forms)
        if self.random.random() < 0.03:
            entries["pool"] = "noschedule"
        if self.random.random() < 0.1:
            pairs = ", ".join(
                f"{{ key = {json.dumps(k)}, effect = {json.dumps(v)} }}" for k, v in entries.items()
            )
            return [f"    node_tolerations = [{pairs}]"]
        return ["    [runners.kubernetes.node_tolerations]"] + [
            f"      {json.dumps(k)} = {json.dumps(v)}" for k, v in entries.items()
        ]

    def _expression(self) -> str:
        operator = self.random.choice(OPERATORS)
        values: list[str] = []
        if operator in ("In", "NotIn"):
            values = self.random.sample(VALUES, self.random.randint(1, 3))
        elif operator in ("Gt", "Lt"):
            values = [self.random.choice(("2", "7", "x"))]
        key = self.random.choice(KEYS)
        return f'{{ key = "{key}", operator = "{operator}", values = {json.dumps(values)} }}'

    def _affinity(self) -> list[str]:
        lines = []
        base = "runners.kubernetes.affinity.node_affinity"
        during = "during_scheduling_ignored_during_execution"
        if self.random.random() < 0.5:
            for _ in range(self.random.randint(1, 2)):
                parts = ", ".join(self._expression() for _ in range(self.random.randint(0, 2)))
                lines.append(f"    [[{base}.required_{during}.node_selector_terms]]")
                lines.append(f"      match_expressions = [{parts}]")
        if self.random.random() < 0.3:
            lines.append(f"    [[{base}.preferred_{during}]]")
            lines.append(f"      weight = {self.random.choice((1, 100, 100, 101))}")
            lines.append(f"      preference = {{ match_expressions = [{self._expression()}] }}")
        return lines

    def _patch(self) -> list[str]:
        kind = self.random.choice(("merge", "strategic", "json", ""))
        tolerations = [{"key": key, "operator": "Exists"} for key in self._some(KEYS, 2)]
        selector: dict[str, Any] = {
            key: self.random.choice((*VALUES, None)) for key in self._some(KEYS, 2)
        }
        patch: Any = {"tolerations": tolerations, "nodeSelector": selector}
        if kind == "json":
            selector = {k: v for k, v in selector.items() if v is not None}
            patch = [
                {"op": "add", "path": "/tolerations", "value": tolerations},
                {"op": "add", "path": "/nodeSelector", "value": selector},
            ]
        elif self.random.random() < 0.3:
            patch.pop(self.random.choice(list(patch)))
        lines = ["    [[runners.kubernetes.pod_spec]]", f"      patch = '{json.dumps(patch)}'"]
        return lines + ([f'      patch_type = "{kind}"'] if kind else [])


@pytest.fixture(scope="module")
def api(scheduling: ControlPlane) -> Iterator[Api]:
    """Give the test's session."""
    with scheduling.connect() as api:
        yield api


def held_to(spec: Any, node: str) -> Object:
    """The pod's specification, for this node only: each term of its node affinity, and no other."""
    held: Object = json.loads(json.dumps(spec))
    only = {"key": "metadata.name", "operator": "In", "values": [node]}
    affinity = held.setdefault("affinity", {}).setdefault("nodeAffinity", {})
    required = affinity.setdefault("requiredDuringSchedulingIgnoredDuringExecution", {})
    if required:
        # A term without expressions takes no node; with a field it would take one.
        for term in required["nodeSelectorTerms"]:
            if term.get("matchExpressions"):
                term["matchFields"] = [only]
    else:
        required["nodeSelectorTerms"] = [{"matchFields": [only]}]
    held["containers"] = [{"name": "build", "image": "none"}]
    return held


def outcomes(api: Api, names: list[str], seconds: float = 90.0) -> dict[str, str]:
    """The node of each of these pods once the scheduler has decided; empty: it found none."""
    give_up = time.monotonic() + seconds
    while True:
        found = {}
        for pod in api.get("/api/v1/namespaces/default/pods")["items"]:
            conditions = pod.get("status", {}).get("conditions") or ()
            refused = any(
                each["type"] == "PodScheduled" and each["status"] == "False" for each in conditions
            )
            if pod["spec"].get("nodeName") or refused:
                found[pod["metadata"]["name"]] = pod["spec"].get("nodeName", "")
        if set(names) <= found.keys():
            return {name: found[name] for name in names}
        assert time.monotonic() < give_up, "the scheduler has not decided about all pods"
        time.sleep(0.1)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_scheduler_does_what_was_predicted(
    scheduling: ControlPlane, api: Api, seed: int
) -> None:
    generator = Generator(seed)
    with FakeNodes(scheduling) as fake:
        nodes = []
        for index in range(10):
            labels, taints = generator.node()
            (name,) = fake.make(1, labels, taints, prefix=f"seed{seed}-{index}")
            nodes.append(Node.from_api(api.get(f"/api/v1/nodes/{name}")))
        cases = [
            Case(text, *jobs_of("ci/generated", text, several=False))
            for text in (generator.text() for _ in range(120))
        ]
        predicted: dict[str, tuple[bool, str]] = {}
        wrong: list[str] = []

        def create(number: int) -> None:
            case = cases[number]
            assert not case.jobs.doubts, case
            for node in generator.random.sample(nodes, 4):
                name = f"seed{seed}-{number}-{node.name}"
                pod = {"metadata": {"name": name}, "spec": held_to(case.jobs.spec, node.name)}
                try:
                    api.post("/api/v1/namespaces/default/pods", pod)
                except Refused as refused:
                    if not case.jobs.pod.fails:
                        wrong.append(f"refused: {refused}\n{case.text}")
                    return
                if case.jobs.pod.fails:
                    wrong.append(f"not refused, although {case.jobs.pod.fails}\n{case.text}")
                    return
                predicted[name] = case.jobs.run_on(node), f"{node}\n{case.text}"

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(create, range(len(cases))))
        for name, where in outcomes(api, list(predicted)).items():
            runs, what = predicted[name]
            if bool(where) != runs:
                wrong.append(f"predicted {runs}, was bound to {where or 'none'}: {what}")
        api.delete("/api/v1/namespaces/default/pods", gracePeriodSeconds=0)
        assert not wrong, "\n\n".join(wrong[:5])
        # Both answers, and refusals, are among them.
        assert {runs for runs, _ in predicted.values()} == {True, False}
        assert any(case.jobs.pod.fails for case in cases)
