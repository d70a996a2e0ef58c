"""Ctrl-C while runners are changed: what is done is told, on a cluster that is imitated."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agtool import app
from agtool.ci_nodepool import jobs, undo
from agtool.ci_nodepool.jobs import RunnerChange, carry_out_all
from agtool.ci_nodepool.runner import change
from agtool.ci_nodepool.runner.change import Outcome, RolloutFailed, roll_out
from agtool.ci_nodepool.runner.model import TEMPLATE, Kept, Runner
from agtool.ci_nodepool.runner.plan import plan_patch
from agtool.ci_nodepool.show.changes import runner_view
from agtool.core.live import Live
from tests.unit.ci_nodepool.test_effect import (
    CHART,
    CONFIG_MAP,
    NODE,
    OBJECT,
    TABLES,
    WORLDS,
    Api,
    merged,
)

DEPLOYMENT = f"/apis/apps/v1/namespaces/gitlab/deployments/{CHART.name}"


class Interrupting(Api):
    """A cluster whose user presses Ctrl-C at a request.

    Attributes:
        at: the start of that request.
        after: the start of one that was there before it.
    """

    def __init__(self, objects: Any, at: str, after: str = "") -> None:
        super().__init__(objects, [])
        self._at, self._after = at, after

    def _look(self, request: str) -> None:
        after = not self._after or any(each.startswith(self._after) for each in self.deeds)
        if after and request.startswith(self._at):
            self._at = "none"
            os.kill(os.getpid(), signal.SIGINT)

    def get(self, path: str, **query: Any) -> Any:
        self._look(f"GET {path}")
        return super().get(path, **query)

    def patch(self, path: str, body: Any, **named: Any) -> Any:
        answer = super().patch(path, body, **named)
        self._look(f"PATCH {path}")
        return answer


@pytest.fixture(autouse=True)
def _ctrl_c(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let it do here what it does in agtool, and let nothing wait."""
    monkeypatch.setattr(change, "_INTERVAL", 0.0)
    monkeypatch.setattr(undo, "_WATCH_REACTS", 0.0)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Give what runs agtool ci-nodepool on a cluster."""

    def run_it(api: Api, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("agtool.core.kube.session.connect", lambda **_: api)
        monkeypatch.setattr(sys, "argv", ["agtool", "ci-nodepool", *arguments])
        code = app.main()
        return (code, *capfd.readouterr())

    return run_it


Run = Callable[..., tuple[int, str, str]]

WAITING = (f"GET {DEPLOYMENT}", f"PATCH {DEPLOYMENT}")
WRITING = (f"PATCH {CONFIG_MAP}", "")


@pytest.mark.parametrize(("at", "after"), [WAITING, WRITING])
@pytest.mark.parametrize("command", ["apply", "patch-runner"])
def test_a_runner_that_was_changed_is_told(run: Run, command: str, at: str, after: str) -> None:
    api = Interrupting(WORLDS["fresh"], at, after)
    code, out, _ = run(api, command, "--preset", "gke-spot", "--yes", "-o", "json")
    document = json.loads(out)
    assert (code, document["exit_code"]) == (130, 130)
    (error,) = document["errors"]
    assert (error["code"], error["subject"]) == ("interrupted", f"runner gitlab/{CHART.name}")
    assert f"kubectl -n gitlab rollout status deployment/{CHART.name}" in error["hint"]
    (runner,) = document["data"]["runners"]
    assert (runner["changed"], runner["restarted"]) == (True, False)
    # Nothing is left between: what is written is also restarted, and nothing follows.
    patched = [deed.split()[1] for deed in api.deeds if deed.startswith("PATCH")]
    assert set(patched) == {CONFIG_MAP, DEPLOYMENT}
    assert patched[-1] == DEPLOYMENT


def test_people_are_told_too(run: Run) -> None:
    api = Interrupting(WORLDS["fresh"], *WAITING)
    code, out, err = run(api, "apply", "--preset", "gke-spot", "--yes")
    assert code == 130
    assert f"gitlab/{CHART.name} is changed and restarting\n" in out
    assert "stopped waiting" in err
    assert f"rollout status deployment/{CHART.name}" in err


def test_a_runner_that_was_not_reached_is_told_as_such() -> None:
    runner = Runner(CHART.deployment, OBJECT)
    plan = plan_patch(runner, TABLES)
    changed = RunnerChange(plan, lambda _: plan, restart=True, wanted=TABLES)
    api = Interrupting(WORLDS["fresh"], *WAITING)
    sent, stopped = carry_out_all(api, [changed, changed], timeout=60, live=Live())
    assert stopped is not None
    told = [list(runner_view(each, dry_run=False)) for each in sent]
    assert told == [
        [f"{runner} is changed and restarting"],
        [f"{runner} was not changed"],
    ]


def test_ctrl_c_when_a_runner_is_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = Runner(CHART.deployment, OBJECT)
    plan = plan_patch(runner, TABLES)
    # On this cluster no manager ever comes up.
    monkeypatch.setattr(jobs, "roll_out", lambda *_, **__: Outcome(plan, restarted=True))
    api = Interrupting(WORLDS["fresh"], f"GET {CONFIG_MAP}")
    changed = RunnerChange(plan, lambda _: plan, restart=True, wanted=TABLES)
    (sent,), stopped = carry_out_all(api, [changed], timeout=60, live=Live())
    assert stopped is not None
    assert list(runner_view(sent, dry_run=False)) == [f"{runner} is changed and restarted"]


def test_undo_tells_the_nodes_and_the_runner(run: Run) -> None:
    api = Interrupting(WORLDS["by agtool"], *WAITING)
    code, out, _ = run(api, "undo", "--yes", "-o", "json")
    document = json.loads(out)
    assert code == 130
    assert document["data"]["changed"] == ["n1"]
    assert [each["changed"] for each in document["data"]["runners"]] == [True]
    assert document["errors"][0]["code"] == "interrupted"


def test_nodes_are_told_while_others_are_looked_for(run: Run) -> None:
    for command in ("undo --yes", "taint n1 disk=x:NoSchedule --force"):
        api = Interrupting(WORLDS["by agtool"], "GET /api/v1/", f"PATCH {NODE}")
        code, out, _ = run(api, *command.split(), "-o", "json")
        assert (code, json.loads(out)["data"]["changed"]) == (130, ["n1"])


def test_a_stateful_set_is_named_as_one() -> None:
    runner = Runner(
        CHART.deployment, OBJECT, kept=Kept("StatefulSet", f"/{TEMPLATE}", TEMPLATE, template=True)
    )
    plan = plan_patch(runner, TABLES)
    deployment = merged(CHART.deployment, {"metadata": {"generation": 1}})
    objects = {CONFIG_MAP: OBJECT, runner.path: deployment}
    assert "/statefulsets/" in runner.path

    def again(_: Runner) -> Any:
        return plan

    api = Interrupting(objects, f"GET {runner.path}", f"PATCH {runner.path}")
    stopped = roll_out(api, plan, again, timeout=60, live=Live()).stopped
    assert stopped is not None
    assert f"rollout status statefulset/{CHART.name}" in stopped.hint
    with pytest.raises(RolloutFailed) as caught:
        roll_out(Api(objects, []), plan, again, timeout=-1e6, live=Live())
    assert f"describe statefulset {CHART.name}" in caught.value.hint
