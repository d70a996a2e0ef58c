"""agtool ci-nodepool patch-runner in a real cluster, where Deployments roll out and pods run.

The manager is a busybox that stands in for gitlab-runner, which would need a GitLab to register
with. As the chart's entrypoint does, it takes the template at its start and never again.
"""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tests.cluster.api import Api, Object
from tests.cluster.server import Server
from tests.e2e.ci_nodepool.conftest import KEY, RECORD, Nodepool
from tests.e2e.conftest import Agtool, clean_environment, wait_until
from tests.gitlab_runner import DEFAULT_TEMPLATE, Chart

SPOT = ("--preset", "gke-preemptible")
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"

MANAGER = """\
cp /configmaps/config.template.toml /etc/gitlab-runner/
cat /etc/gitlab-runner/config.template.toml
trap 'exit 0' TERM
touch /ready
while :; do sleep 0.2; done
"""
BROKEN = "if grep -q node_selector /configmaps/config.template.toml; then exit 1; fi\n"


class Release:
    """A release of the chart in a namespace."""

    def __init__(self, api: Api, chart: Chart) -> None:
        self.api = api
        self.chart = chart
        self.name = f"{chart.namespace}/{chart.name}"
        api.post(f"/api/v1/namespaces/{chart.namespace}/configmaps", chart.config_map)
        api.post(f"/apis/apps/v1/namespaces/{chart.namespace}/deployments", chart.deployment)

    def up(self) -> "Release":
        """Itself, with its manager running."""
        wait_until(self._is_up, "the manager runs")
        return self

    def deployment(self) -> Object:
        return self.api.get(
            f"/apis/apps/v1/namespaces/{self.chart.namespace}/deployments/{self.chart.name}"
        )

    def config_map(self) -> Object:
        return self.api.get(
            f"/api/v1/namespaces/{self.chart.namespace}/configmaps/{self.chart.name}"
        )

    def template(self) -> str:
        text: str = self.config_map()["data"]["config.template.toml"]
        return text

    def _is_up(self) -> bool:
        return bool(self.deployment()["status"].get("availableReplicas") == 1)

    def pods(self) -> list[Object]:
        """The manager's pods that are not told to end."""
        path = f"/api/v1/namespaces/{self.chart.namespace}/pods"
        pods = self.api.get(path, labelSelector=f"app={self.chart.name}")["items"]
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def pod(self) -> Object:
        """The manager's pod, once there is only one."""
        wait_until(lambda: len(self.pods()) == 1, "one pod of the manager is left")
        return self.pods()[0]

    def taken(self) -> str:
        """The template that the running manager took."""
        path = f"/api/v1/namespaces/{self.chart.namespace}/pods"
        return self.api.text(f"{path}/{self.pod()['metadata']['name']}/log")


@pytest.fixture
def pool(cluster: Server) -> Iterator[None]:
    """Make the cluster's node one of the pool."""
    with cluster.connect() as api:
        (name,) = [node["metadata"]["name"] for node in api.get("/api/v1/nodes")["items"]][:1]
        api.patch(f"/api/v1/nodes/{name}", {"metadata": {"labels": {KEY: "true"}}})
        yield
        api.patch(f"/api/v1/nodes/{name}", {"metadata": {"labels": {KEY: None}}})


@pytest.fixture
def api(cluster: Server) -> Iterator[Api]:
    """Give the test's own session with the cluster."""
    with cluster.connect() as api:
        yield api


@pytest.fixture
def nodepool(agtool: Agtool, cluster: Server, api: Api) -> Nodepool:
    """Give what runs agtool ci-nodepool on the cluster."""
    return Nodepool(agtool, cluster, api)


@pytest.fixture
def install(api: Api, cluster: Server, namespace: str) -> Callable[..., Release]:
    """Give the function that installs a release; `more` are the settings of the chart."""
    images = cluster.images  # type: ignore[attr-defined]

    def make(script: str = MANAGER, **more: object) -> Release:
        chart = Chart(
            "0.86.0",
            namespace=namespace,
            image=images.busybox,
            command=["/bin/sh", "-c", script],
            readiness=["/bin/ls", "/ready"],
            grace=5,
        )
        return Release(api, replace(chart, **more))  # type: ignore[arg-type]

    return make


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
    assert "restarting: " in done.stderr
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
        assert process.wait(60) == 0
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
    running.wait_for("restarting: ")
    running.send(signal.SIGINT)
    done = running.wait()
    assert done.exit_code == 130
    assert "rollout status deployment/" in done.stderr
    assert KEY in release.template()
    wait_until(lambda: KEY in release.taken(), "the rollout goes on")


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
