"""An option without effect is refused: each option in each form of each command."""

import copy
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest
import typer.main

from agtool import app
from agtool.ci_nodepool import cli, undo
from agtool.ci_nodepool.model import Label, Node, Taint
from agtool.ci_nodepool.pool.plan import Wanted, plan_node
from agtool.ci_nodepool.runner.change import Outcome
from agtool.ci_nodepool.runner.model import Runner
from agtool.ci_nodepool.runner.placement import Tables
from agtool.ci_nodepool.runner.plan import plan_patch
from agtool.ci_nodepool.watch.keep import Stopped
from agtool.core.kube.errors import NotFoundError
from agtool.core.kube.session import Session
from tests.gitlab_runner import Chart

KEY = "cloud.google.com/gke-spot"
CHART = Chart("0.86.0", release="ci")
RUNNER = f"gitlab/{CHART.name}"

WITH_A_VALUE = {
    "--selector": "pool=ci",
    "--preset": "karpenter-spot",
    "--runner": RUNNER,
    "--taint": "more=x:NoExecute",
    "--timeout": "7s",
    "--namespace": "other",
    "--output": "json",
    "--listen": ":1",
    "--chart": "0.19",
    "--image": "image:2",
    "--for": "kops",
}
WITHOUT = ("--overwrite", "--force", "--skip-pods", "--dry-run", "--prefer", "--jobs")
LEFT_OUT = {
    "--all-runners": "where there is one runner, it is the one that is chosen in any case",
    "--live": "where nobody owns the ConfigMap, nothing is put back",
    "--yes": "scripts have it in any case, and a person who is not asked loses nothing",
    **dict.fromkeys(("--context", "--kubeconfig", "--as", "--as-group"), "another cluster or user"),
}

NODES = ("", "n1 n2", "-l pool=ci", "--preset gke-spot")
FORMS = {
    "status": NODES[:1] + NODES[2:],
    "taint": [*NODES, *(f"{n} disk=x:NoSchedule" for n in NODES), *(f"{n} pool-" for n in NODES)],
    "untaint": [*NODES, *(f"{nodes} pool-" for nodes in NODES)],
    "label": [*NODES[1:3], *(f"{n} disk=x" for n in NODES), *(f"{nodes} pool-" for nodes in NODES)],
    "unlabel": [*NODES, *(f"{nodes} pool-" for nodes in NODES)],
    "patch-runner": ["", "-l pool=ci", "-l pool=ci --taint a=b:NoSchedule", f"--runner {RUNNER}"],
    "apply": ["", "-l pool=ci", "-l pool=ci --taint a=b:NoSchedule", f"--runner {RUNNER}"],
    "undo": NODES,
    "watch": ["", "-l pool=ci", "-l pool=ci disk=x", "disk=x:NoSchedule", "--preset gke-spot"],
    "emit": [
        f"{kind} {nodes}"
        for kind in ("helm", "toml", "pool", "admission", "watch")
        for nodes in ("", "-l pool=ci --taint a=b:NoExecute", "--taint a=b:NoExecute")
        if (kind, nodes[:2]) != ("pool", "-l")
    ],
}
"""The commands, and the nodes and changes that they are given."""

REFUSED = (
    # Nodes are chosen in one way; beside another, a preset tells whose label or taint is meant.
    r".* n1 n2 .*--selector",
    r"(status|undo) (n1|-l) .*--preset",
    r"(status|undo) --preset .*--selector",
    r".* (n1|-l) .*(disk=|pool-|--taint).* --preset",
    r".* --preset .*(disk=|pool-).* --selector",
    r"taint .*pool- --(overwrite|force|skip-pods)",
    r"label .*pool- --overwrite",
    r"label (?!.*pool-).* --force",
    r"(patch-runner|apply) --runner .* --namespace",
    r"undo n1 n2 --(timeout|namespace)",
    r"emit (helm|toml|pool|admission) .*--(namespace|image)",
    r"emit (toml|pool|admission|watch) .*--chart",
    r"emit (helm|toml|admission|watch) .*--for",
    r"emit pool .*--selector",
    r"emit watch --selector",  # which says nothing of what to keep
)
"""Command lines that are refused because of their last option, and no others are."""


# -- a cluster ------------------------------------------------------------------------------------


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    found = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        found[key] = merged(found.get(key), value)
        if value is None:
            del found[key]
    return found


NODE = "/api/v1/nodes/n1"
CONFIG_MAP = f"/api/v1/namespaces/gitlab/configmaps/{CHART.name}"
OBJECT = merged(CHART.config_map, {"metadata": {"resourceVersion": "1"}})
TABLES = Tables({"pool": "ci"})


def world(
    *,
    labels: Any = (),
    taints: Any = (),
    jobs: Any = None,
    by_agtool: bool = False,
    other: Any = None,
) -> Any:
    """The objects of a cluster by their paths: three nodes, a runner, and a pod on the first.

    Args:
        jobs: where the runner sends them.
        by_agtool: whether agtool made that what the first node and the runner have.
        other: the specification of the second node; without it, it lacks the provider's label.
    """
    metadata = {"name": "n1", "uid": "u", "resourceVersion": "1", "labels": {KEY: "true"}}
    node: Any = {"metadata": metadata, "spec": {}, "status": {}}
    change = plan_node(Node.from_api(node), Wanted(tuple(labels), tuple(taints))).patch()
    if not by_agtool:
        del change["metadata"]["annotations"]
    runner = Runner(CHART.deployment, OBJECT)
    template = plan_patch(runner, jobs).patch() if jobs else {}
    if jobs and not by_agtool:
        template = {"data": template["data"]}
    second: Any = {"name": "n2", "uid": "v", "resourceVersion": "1"}
    second["labels"] = {"pool": "ci", **({KEY: "no"} if other else {})}
    pod = {"metadata": {"name": "p", "namespace": "web"}, "spec": {"nodeName": "n1"}}
    return {
        NODE: merged(node, change),
        "/api/v1/nodes/n2": {"metadata": second, "spec": other or {}},
        # On which jobs run that go to any node.
        "/api/v1/nodes/n3": {"metadata": {**second, "name": "n3", "labels": {}}, "spec": {}},
        f"/apis/apps/v1/namespaces/gitlab/deployments/{CHART.name}": CHART.deployment,
        CONFIG_MAP: merged(OBJECT, template),
        "/api/v1/namespaces/web/pods/p": pod,
    }


POOL = Label("pool", "ci")
TAINTS = [Taint(key, "y", "NoSchedule") for key in ("disk", "pool", KEY)]
WORLDS = {
    "fresh": world(labels=[POOL]),
    "jobs are sent there": world(labels=[POOL], jobs=TABLES),
    "jobs of the preset are sent there": world(labels=[POOL], jobs=Tables({KEY: "true"})),
    "other values": world(
        labels=[POOL, Label("disk", "y")],
        taints=TAINTS,
        other={"taints": [taint._asdict() for taint in TAINTS]},
    ),
    "by agtool": world(
        labels=[POOL],
        taints=[Taint("a", "b", "NoSchedule")],
        jobs=Tables({"pool": "ci"}, {"a=b": "NoSchedule"}),
        by_agtool=True,
    ),
    "by agtool, jobs elsewhere": world(labels=[POOL], by_agtool=True),
}


class Api(Session):
    """A session on such a cluster.

    Attributes:
        deeds: requests, and what else can be seen from outside.
    """

    def __init__(self, objects: Any, deeds: list[Any]) -> None:
        self.objects = copy.deepcopy(objects)
        self.deeds = deeds
        self.namespace = "default"

    def __exit__(self, *_: object) -> None:
        pass

    def get(self, path: str, *, accept: str = "", **query: Any) -> Any:
        self.deeds.append(f"GET {path} {query}")
        if path in self.objects:
            return copy.deepcopy(self.objects[path])
        folder, _, kind = path.rpartition("/")
        if kind not in ("nodes", "pods", "deployments", "statefulsets", "daemonsets", "events"):
            raise NotFoundError(path)
        key, _, value = query.get("labelSelector", "").partition("=")
        found = [
            copy.deepcopy(one)
            for place, one in self.objects.items()
            if place.startswith(f"{folder}/")
            and place.split("/")[-2] == kind
            and (not key or one["metadata"].get("labels", {}).get(key) == value)
        ]
        return {"metadata": {"resourceVersion": "1"}, "items": found}

    def post(self, path: str, body: Any, **_: Any) -> Any:
        assert path.endswith("/subjectaccessreviews")
        return {**body, "status": {"allowed": True}}

    def patch(self, path: str, body: Any, **_: Any) -> Any:
        self.deeds.append(f"PATCH {path} {json.dumps(body, sort_keys=True)}")
        self.objects[path] = merged(self.objects[path], body)
        return self.objects[path]


class Outcomes:
    """What command lines lead to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self._deeds: list[Any] = []
        self._api = Api({}, self._deeds)
        monkeypatch.setattr(undo, "_WATCH_REACTS", 0.0)
        monkeypatch.setattr("agtool.core.kube.session.connect", self._connect)
        monkeypatch.setattr("agtool.ci_nodepool.jobs.roll_out", self._roll_out)
        monkeypatch.setattr("agtool.ci_nodepool.watch.health.serve", self._serve)
        monkeypatch.setattr("agtool.ci_nodepool.watch.keep.keep", self._keep)

    def _connect(self, **_: Any) -> Session:
        return self._api

    def _roll_out(self, session: Api, plan: Any, _: Any, *, timeout: float, **__: Any) -> Outcome:
        self._deeds.append(f"ROLL OUT {plan.after} within {timeout}")
        session.objects[CONFIG_MAP]["data"][plan.runner.key] = plan.after
        return Outcome(plan, restarted=True)

    def _serve(self, address: str, _: Any) -> Any:
        self._deeds.append(f"SERVE {address}")
        return nullcontext()

    def _keep(self, session: Api, selector: str, planned: Callable[[Node], Any], *_: Any) -> None:
        change = planned(Node.from_api(session.objects[NODE]))
        self._deeds.append(f"KEEP {selector} {change.patch()}")
        raise Stopped

    def of(self, objects: Any, arguments: list[str]) -> tuple[int, Any]:
        """The exit code, and what was done and shown."""
        self._deeds.clear()
        self._api = Api(objects, self._deeds)
        self._monkeypatch.setattr(sys, "argv", ["agtool", "ci-nodepool", *arguments])
        code = app.main()
        return code, (sorted(self._deeds), *self._capsys.readouterr())


def options_of(command: str) -> set[str]:
    group: Any = typer.main.get_command(cli.app)
    parameters = group.commands[command].params
    return {max(p.opts, key=len) for p in parameters if p.param_type_name == "option"}


def test_all_commands_and_options_are_looked_at() -> None:
    group: Any = typer.main.get_command(cli.app)
    # These two are about files, and what their options do is seen in e2e/ci_nodepool/test_check.py.
    assert {*FORMS, "check", "edit"} == set(group.commands)
    options = set().union(*map(options_of, FORMS))
    assert options == {*WITH_A_VALUE, *WITHOUT, *LEFT_OUT}


def lines(command: str) -> Iterator[tuple[str, str, list[str], list[str]]]:
    """Each form and option, and the command line without the option and with it."""
    own = options_of(command)
    for form in FORMS[command]:
        words = [command, *form.split(), *["--yes"] * ("--yes" in own)]
        for option in (*WITH_A_VALUE, *WITHOUT):
            if option not in own or option in words or (option == "--selector" and "-l" in words):
                continue
            value = [WITH_A_VALUE[option]] if option in WITH_A_VALUE else []
            yield form, option, words, [*words, option, *value]


@pytest.mark.parametrize("command", FORMS)
def test_an_option_without_effect_is_refused(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = Outcomes(monkeypatch, capsys)
    idle, refused = set(), set()
    bases: dict[tuple[str, str], Any] = {}
    for form, option, without, with_option in lines(command):
        for name, objects in WORLDS.items():
            if (form, name) not in bases:
                bases[form, name] = outcomes.of(objects, without)
            done = outcomes.of(objects, with_option)
            assert done[0] != 70, done
            if done[0] == 2 and not done[1][0]:
                refused.add(" ".join(f"{command} {form} {option}".split()))
                break
            if done != bases[form, name]:
                break
        else:
            idle.add((form, option))
    assert idle == set()
    asked = {" ".join(f"{command} {form} {option}".split()) for form, option, *_ in lines(command)}
    assert refused == {one for one in asked if any(re.fullmatch(rule, one) for rule in REFUSED)}


def test_a_label_that_jobs_need_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = Outcomes(monkeypatch, capsys)
    sent = WORLDS["jobs are sent there"]
    command = ["label", "n1", "n2", "pool=x", "--overwrite"]
    assert outcomes.of(sent, command)[0] == 5
    assert outcomes.of(sent, [*command, "--force"])[0] == 0
    assert outcomes.of(sent, ["label", "n1", "pool=x", "--overwrite"])[0] == 0
