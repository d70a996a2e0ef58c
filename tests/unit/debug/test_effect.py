"""An option without effect is refused: each option in each mode, through the program itself."""

import sys
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import typer.main

from agtool import app
from agtool.core.command import Result
from agtool.debug import cli, model
from agtool.debug.documents import DebugPods
from agtool.debug.pod.manifest import debug_pod
from agtool.debug.pod.security import ways
from agtool.debug.pod.target import plan_container

WITH_A_VALUE = {
    "--namespace": "n",
    "--context": "c",
    "--kubeconfig": "k",
    "--as": "me",
    "--as-group": "us",
    "--image": "image:2",
    "--image-pull-policy": "Never",
    "--env": "A=b",
    "--label": "a=b",
    "--serviceaccount": "web",
    "--node-selector": "disk=ssd",
    "--toleration": "dedicated",
    "--cpu": "1",
    "--memory": "1Mi",
    "--user": "7",
    "--ttl": "7s",
    "--timeout": "7s",
    "--shell": "/bin/zsh",
    "--like": "deployment/web",
    "--target": "pod/web-0",
    "--container": "side",
    "--node": "worker-1",
    "--tools": "busybox:musl",
    "--pause-image": "registry.example/pause:1",
    "--annotation": "a=b",
    "--attach": "debug-x",
    "--output": "name",
    "--record": "session.cast",
    "--port-forward": "8080:80",
}
WITHOUT = ("--root", "--stdin", "--tty", "--keep", "--list", "--cleanup", "--dry-run", "--cp")
MODES = ("", "--list", "--cleanup", "--attach", "--target", "--node", "--like", "--cp")

TARGET = {
    "metadata": {"name": "web-0", "namespace": "n"},
    "spec": {"containers": [{"name": "web"}, {"name": "side"}]},
    "status": {
        "containerStatuses": [{"name": name, "state": {"running": {}}} for name in ("web", "side")]
    },
}
LIKE = model.Like(labels={}, container={}, pod={}, user=1000)


def used(job: model.Job) -> Any:
    """What of a job has an effect."""
    request = job.request
    session: tuple[Any, ...] = (job.cluster, request.namespace, job.shell, job.stdin, job.terminal)
    session += (job.record, tuple(job.forwards))
    if job.attach:
        return (*session, job.attach)
    if job.copy:
        plan = plan_container(TARGET, request, job.container)
        return (*session, job.timeout, job.copy, plan.container)
    if job.target:
        plan = plan_container(TARGET, request, job.container)
        return (*session, job.timeout, job.target, plan.container)
    if job.like:
        request = replace(request, like=LIKE)
    pods = [debug_pod(request, security) for security in ways(request)]
    return (*session, job.timeout, job.like, job.like and job.container, pods)


class Outcomes:
    """What command lines lead to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self._done: list[Any] = []
        monkeypatch.delenv("AGTOOL_DEBUG_IMAGE", raising=False)
        monkeypatch.delenv("AGTOOL_DEBUG_PAUSE_IMAGE", raising=False)
        monkeypatch.setattr(model, "new_name", lambda: "debug-x")
        monkeypatch.setattr(cli, "_debug_pods", self._list)
        monkeypatch.setattr("agtool.debug.run.run", self._run)
        monkeypatch.setattr("agtool.debug.run.planned", self._plan)

    def _list(self, *arguments: Any, cleanup: bool) -> Result[DebugPods]:
        self._done.append((arguments, cleanup))
        return Result(DebugPods([]), ["table"], names=["name"])

    def _run(self, job: model.Job) -> int:
        self._done.append(used(job))
        return 0

    def _plan(self, job: model.Job) -> list[Any]:
        self._done.append(("planned", used(job)))
        return []

    def of(self, *arguments: str) -> tuple[int, Any]:
        """The exit code, and what was done."""
        self._done.clear()
        files = ["file", "pod/web-0:/file"] if "--cp" in arguments else []
        self._monkeypatch.setattr(sys, "argv", ["agtool", "debug", *arguments, *files])
        code = app.main()
        return code, [*self._done, self._capsys.readouterr().out]


def words(option: str) -> list[str]:
    return [option, WITH_A_VALUE[option]] if option in WITH_A_VALUE else [option] if option else []


def test_all_options_are_looked_at() -> None:
    command = typer.main.get_command(cli.app)
    names = {max(p.opts, key=len) for p in command.params if p.param_type_name == "option"}
    assert names == {*WITH_A_VALUE, *WITHOUT}


def test_an_option_without_effect_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = Outcomes(monkeypatch, capsys)
    wrong = []
    for mode, option in product(MODES, (*WITH_A_VALUE, *WITHOUT)):
        if option == mode:
            continue
        code, without = outcomes.of(*words(mode))
        assert code == 0, mode
        code, done = outcomes.of(*words(mode), *words(option))
        if code == 0 and done == without:
            wrong.append((mode, option, "has no effect"))
        if code and (code != 125 or done != [""]):
            wrong.append((mode, option, f"exit code {code}"))
    assert wrong == []


def test_a_shell_has_no_effect_on_a_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Outcomes(monkeypatch, capsys).of("--shell", "/bin/zsh", "--", "true") == (125, [""])


@pytest.mark.parametrize("option", sorted({*WITH_A_VALUE} - {"--kubeconfig"}))
def test_an_empty_value_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    needed = {"--container": ["--like", "web"], "--as-group": ["--as", "me"]}.get(option, [])
    code, done = Outcomes(monkeypatch, capsys).of(*needed, option, "")
    assert (code, done) == (125, [""])
