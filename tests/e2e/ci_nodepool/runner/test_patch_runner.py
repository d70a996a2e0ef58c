"""agtool ci-nodepool patch-runner in a real cluster, where Deployments roll out and pods run."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from tests.e2e.ci_nodepool.conftest import KEY, RECORD, Nodepool
from tests.e2e.ci_nodepool.runner.conftest import BROKEN, MANAGER, Release
from tests.e2e.conftest import clean_environment, wait_until
from tests.gitlab_runner import DEFAULT_TEMPLATE

NEVER_READY = "grep -q node_selector /configmaps/config.template.toml || touch"
"""In the place of the manager's own touch: with the new template it runs, and is not ready."""

SPOT = ("--preset", "gke-preemptible")
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


@pytest.mark.usefixtures("pool")
def test_the_new_manager_has_the_new_template(
    nodepool: Nodepool, install: Callable[..., Release]
) -> None:
    release = install().up()
    before = release.pod()["metadata"]["uid"]
    assert release.taken() == DEFAULT_TEMPLATE

    done = nodepool("patch-runner", "--runner", release.name)
    assert done.exit_code == 0, done.stderr
    assert f"{release.name} is changed and restarted" in done.stdout
    assert "[runners.kubernetes.node_selector]" in done.stdout  # the Helm values
    assert "restarting " in done.stderr
    assert release.pod()["metadata"]["uid"] != before
    wait_until(lambda: release.taken() == release.template(), "the manager took the template")
    assert f'"{KEY}" = "true"' in release.taken()

    again = nodepool.json("patch-runner", "--runner", release.name)
    assert again["data"]["changed"] is again["data"]["restarted"] is False


@pytest.mark.usefixtures("pool")
def test_a_manager_that_crashes_gets_its_old_template_and_its_old_pod_back(
    nodepool: Nodepool, install: Callable[..., Release]
) -> None:
    release = install(BROKEN + MANAGER).up()
    before = release.pod()["metadata"]["uid"]
    done = nodepool.json("patch-runner", "--runner", release.name)
    (error,) = done["errors"]
    assert (done["exit_code"], error["code"]) == (1, "rollout-failed")
    assert "CrashLoopBackOff" in error["message"]
    assert "The old configuration is back" in error["hint"]
    assert release.template() == DEFAULT_TEMPLATE
    assert RECORD not in release.config_map()["metadata"].get("annotations", {})
    # It never stopped.
    assert release.pod()["metadata"]["uid"] == before


@pytest.mark.usefixtures("pool")
def test_a_manager_that_does_not_get_ready_is_named_with_the_cause(
    nodepool: Nodepool, install: Callable[..., Release]
) -> None:
    release = install(MANAGER.replace("touch", NEVER_READY)).up()
    old = release.pod()["metadata"]["name"]
    done = nodepool("patch-runner", "--runner", release.name, "--timeout", "5")
    assert done.exit_code == 1
    named = re.search(r"0 of 1 new pods ready; pod (\S+): Unhealthy: Readiness probe", done.stderr)
    assert named, done.stderr
    assert named[1] != old
    # What the hint asks for is there, although the pod is gone.
    kubectl = re.search(r"kubectl -n \S+ get events --field-selector (\S+)$", done.stderr, re.M)
    assert kubectl, done.stderr
    path = f"/api/v1/namespaces/{release.chart.namespace}/events"
    events = nodepool.api.get(path, fieldSelector=kubectl[1])["items"]
    assert "Unhealthy" in [event["reason"] for event in events]


@pytest.mark.usefixtures("pool")
def test_several_runners(nodepool: Nodepool, install: Callable[..., Release]) -> None:
    one, two = install(release="one"), install(release="two")
    namespace = one.chart.namespace
    done = nodepool("patch-runner", "-n", namespace)
    assert done.exit_code == 2
    assert f"there are 2 runners: {one.name}, {two.name}" in done.stderr
    assert f"--runner {one.name}" in done.stderr
    done = nodepool("patch-runner", "-n", namespace, "--runner", "two-gitlab-runner", "--dry-run")
    assert done.exit_code == 0, done.stderr
    assert '+      "cloud.google.com/gke-preemptible=true" = "NoSchedule"' in done.stdout
    assert two.template() == DEFAULT_TEMPLATE
    assert RESTARTED_AT not in str(two.deployment()["spec"])


def test_an_empty_pool(nodepool: Nodepool, install: Callable[..., Release]) -> None:
    release = install()
    done = nodepool("patch-runner", "--runner", release.name, *SPOT)
    assert done.exit_code != 0
    assert f"no node has the label {KEY}=true" in done.stderr
    done = nodepool("patch-runner", "--runner", release.name, *SPOT, "--force")
    assert done.exit_code == 0, done.stderr
    assert f'"{KEY}" = "true"' in release.template()


@pytest.mark.usefixtures("pool")
def test_nobody_to_ask(nodepool: Nodepool, install: Callable[..., Release]) -> None:
    release = install()
    done = nodepool("patch-runner", "-n", release.chart.namespace)
    assert done.exit_code == 2
    assert "there is nobody to ask" in done.stderr
    assert release.template() == DEFAULT_TEMPLATE


@pytest.mark.usefixtures("pool")
@pytest.mark.parametrize(("answer", "changed"), [(b"y\n", True), (b"\n", False)])
def test_on_a_terminal_it_asks(
    nodepool: Nodepool, install: Callable[..., Release], answer: bytes, changed: bool
) -> None:
    release = install()
    leader, terminal = pty.openpty()
    arguments = ["ci-nodepool", "patch-runner", "-n", release.chart.namespace]
    process = subprocess.Popen(
        [sys.executable, "-m", "agtool", *arguments],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=clean_environment({"KUBECONFIG": str(nodepool.kubeconfig), "TERM": "xterm"}),
        start_new_session=True,
    )
    os.close(terminal)
    try:
        shown = _read(leader, until=b"[y/N]")
        assert f"Change {release.name} and restart it?".encode() in shown
        os.write(leader, answer)
        shown = _read(leader)
        assert process.wait(60) == (0 if changed else 1), shown
    finally:
        process.kill()
        process.wait()
        os.close(leader)
    assert (b"Nothing was changed." in shown) is not changed
    assert (KEY in release.template()) is changed


@pytest.mark.usefixtures("pool")
def test_ctrl_c_while_it_waits(nodepool: Nodepool, install: Callable[..., Release]) -> None:
    release = install(MANAGER.replace("touch /ready", "sleep 5; touch /ready")).up()
    running = nodepool.agtool.start(
        "ci-nodepool",
        "patch-runner",
        "--runner",
        release.name,
        env={"KUBECONFIG": str(nodepool.kubeconfig)},
    )
    running.wait_for("restarting ")
    running.send(signal.SIGINT)
    done = running.wait()
    assert done.exit_code == 130
    assert "rollout status deployment/" in done.stderr
    assert KEY in release.template()
    wait_until(lambda: KEY in release.taken(), "the rollout goes on")


@pytest.mark.usefixtures("pool")
def test_a_change_that_helm_takes_back_is_told(
    nodepool: Nodepool, install: Callable[..., Release]
) -> None:
    release = install(MANAGER.replace("touch /ready", "sleep 3; touch /ready")).up()
    running = nodepool.agtool.start(
        "ci-nodepool",
        "patch-runner",
        "--runner",
        release.name,
        env={"KUBECONFIG": str(nodepool.kubeconfig)},
    )
    running.wait_for("restarting ")
    path = f"/api/v1/namespaces/{release.chart.namespace}/configmaps/{release.chart.name}"
    release.api.patch(path, {"data": {"config.template.toml": DEFAULT_TEMPLATE}})
    done = running.wait()
    assert done.exit_code == 5, done.stderr
    assert f"changed the ConfigMap of {release.name} again" in done.stderr
    assert "agtool ci-nodepool emit helm" in done.stderr


def _read(leader: int, until: bytes = b"") -> bytes:
    """Return what a terminal shows, until something or its end."""
    give_up = time.monotonic() + 60
    shown = b""
    while not until or until not in shown:
        assert time.monotonic() < give_up, shown
        if select.select([leader], [], [], 1)[0]:
            try:
                shown += os.read(leader, 4096)
            except OSError:  # the other side is closed
                break
    return shown
