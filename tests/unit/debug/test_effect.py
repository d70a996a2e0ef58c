"""An option without effect is refused: each option in each mode, through the program itself."""

import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import typer.main

from agtool import app
from agtool.core.command import Result
from agtool.debug import cli, model
from agtool.debug.documents import DebugPods
from agtool.debug.pod.copy import copied_of
from agtool.debug.pod.manifest import debug_pod
from agtool.debug.pod.security import ways
from agtool.debug.pod.target import plan_container

CUSTOM = Path(__file__).parent / "custom.yaml"
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
    "--profile": "netadmin",
    "--cap-add": "SYS_TIME",
    "--custom": str(CUSTOM),
    "--image-pull-secret": "registry",
    "--hostname": "web",
    "--pod-index": "1",
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
WITHOUT = (
    *("--root", "--stdin", "--tty", "--keep", "--list", "--cleanup", "--dry-run", "--print-rbac"),
    *("--cp", "--copy", "--mounts", "--host-network", "--all-namespaces"),
)
MODES = {
    "": [],
    "--list": ["--list"],
    "--cleanup": ["--cleanup"],
    "--attach": ["--attach", "debug-x"],
    "--target": ["--target", "pod/web-0"],
    "--target of a workload": ["--target", "deployment/web"],
    "--target with --tools": ["--target", "pod/web-0", "--tools", "busybox:musl"],
    "--copy": ["--copy", "--target", "statefulset/web"],
    "--node": ["--node", "worker-1"],
    "--like": ["--like", "deployment/web"],
    "--cp": ["--cp"],
}
"""What stands on the command line of each."""

TARGET = {
    "metadata": {"name": "web-0", "namespace": "n"},
    "spec": {
        "containers": [
            {"name": "web", "volumeMounts": [{"name": "data", "mountPath": "/data"}]},
            {"name": "side"},
        ]
    },
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
        return (*session, job.timeout, job.copy, plan.ways)
    if job.target and not job.in_copy:
        plan = plan_container(TARGET, request, job.container)
        return (*session, job.timeout, job.target, job.pod_index, request.tools, plan.ways)
    if job.in_copy:
        copied = copied_of(TARGET, job.container)
        request = replace(request, copied=copied)
    if job.like:
        request = replace(request, like=LIKE)
    pods = [debug_pod(request, security) for security in ways(request)]
    more = (job.target, job.pod_index) if job.in_copy else (job.like and job.container)
    return (*session, job.timeout, job.like, more, pods)


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
        monkeypatch.setattr("agtool.debug.plan.planned", self._plan)
        monkeypatch.setattr("agtool.debug.plan.needed", self._plan)
        monkeypatch.setattr("agtool.debug.plan.namespace_of", lambda *_: "n")

    def _list(self, *arguments: Any, **more: bool) -> Result[DebugPods]:
        self._done.append((arguments, more))
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
    for (mode, line), option in product(MODES.items(), (*WITH_A_VALUE, *WITHOUT)):
        if option in line:
            continue
        code, without = outcomes.of(*line)
        assert code == 0, mode
        code, done = outcomes.of(*line, *words(option))
        if code == 0 and done == without:
            wrong.append((mode, option, "has no effect"))
        if code and (code != 125 or done != [""]):
            wrong.append((mode, option, f"exit code {code}"))
    assert wrong == []


def test_a_shell_has_no_effect_on_a_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Outcomes(monkeypatch, capsys).of("--shell", "/bin/zsh", "--", "true") == (125, [""])


@pytest.mark.parametrize("name", ["IMAGE", "PAUSE_IMAGE"])
def test_a_wrong_value_is_called_after_what_it_stands_in(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    option, variable = f"--{name.replace('_', '-').lower()}", f"AGTOOL_DEBUG_{name}"
    for words, told in (([], variable), ([option, "No:"], option)):
        monkeypatch.setenv(variable, "No:")
        monkeypatch.setattr(sys, "argv", ["agtool", "debug", *words, "--", "true"])
        assert app.main() == 125
        assert f"error: {told} 'No:' is not a valid image" in capfd.readouterr().err


@pytest.mark.parametrize("option", sorted({*WITH_A_VALUE} - {"--kubeconfig"}))
def test_an_empty_value_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    needed = {"--container": ["--like", "web"], "--as-group": ["--as", "me"]}.get(option, [])
    code, done = Outcomes(monkeypatch, capsys).of(*needed, option, "")
    assert (code, done) == (125, [""])


@pytest.mark.parametrize(
    ("fields", "program"),
    [
        ({"command": ["node", "a b.js"]}, "node 'a b.js'"),
        ({"args": ["--port", "80"]}, "that of the image --port 80"),
        ({}, "that of the image"),
        ({"command": ["sh", "-c"], "args": ["a\r\necho 'b'"]}, "sh -c $'a\\x0d\\necho \\'b\\''"),
        # What Kubernetes puts in, a shell does; `$$` is a `$` that stays one.
        (
            {"command": ["/srv", "--ip=$(IP)", "$$(B)", ""], "args": ["$(IP)$(B) !$(IP)"]},
            """/srv --ip="${IP}" '$(B)' '' "${IP}"'$(B) !'"${IP}\"""",
        ),
        (
            {"args": ["$(a.b) $$$(IP) $(IP", "$$", "$HOME"]},
            """that of the image '$(a.b) $'"${IP}"' $(IP' '$' '$HOME'""",
        ),
    ],
)
def test_what_a_copied_container_would_run(fields: dict[str, Any], program: str) -> None:
    env = [{"name": "IP", "value": "10.0.0.1"}, {"name": "a.b", "value": "c"}]
    containers = [{"name": "web", "image": "i", "env": env, **fields}]
    pod = {"metadata": {"name": "web-0"}, "spec": {"containers": containers}}
    assert copied_of(pod, None).program == program
