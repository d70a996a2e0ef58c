"""A runner that the real Helm 4 installed, before and after agtool. The chart is ours, trimmed."""

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs would be one more package for this line

from tests.cluster import build
from tests.cluster.api import Api
from tests.cluster.server import Server
from tests.conftest import needed
from tests.e2e.ci_nodepool.conftest import KEY, Nodepool
from tests.e2e.ci_nodepool.runner.conftest import MANAGER, Release
from tests.e2e.conftest import clean_environment
from tests.gitlab_runner import DEFAULT_TEMPLATE, Chart

MARK = "TEMPLATE-GOES-HERE"


class Helm:
    """Helm with one release of one chart.

    Attributes:
        release: what is installed.
    """

    def __init__(self, folder: Path, server: Server, api: Api, chart: Chart) -> None:
        with needed():
            self._program = build.helm()
        self._environment = clean_environment(
            {"KUBECONFIG": str(server.kubeconfig), "HOME": str(folder)}
        )
        self._chart = folder / "gitlab-runner"
        self._namespace = chart.namespace
        _write_chart(self._chart, chart)
        self.release = Release.__new__(Release)
        self.release.api = api
        self.release.chart = chart
        self.release.name = f"{chart.namespace}/{chart.name}"

    def __call__(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it on the release."""
        return subprocess.run(
            [self._program, command, "ci", *arguments, "-n", self._namespace],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def deploy(self, command: str, template: str) -> subprocess.CompletedProcess[str]:
        """Install or upgrade with a template."""
        values = self._chart.parent / "values.yaml"
        values.write_text(yaml.safe_dump({"runners": {"config": template}}))
        return self(command, str(self._chart), "-f", str(values))


def _write_chart(folder: Path, chart: Chart) -> None:
    (folder / "templates").mkdir(parents=True)
    about = {"apiVersion": "v2", "name": "gitlab-runner", "version": chart.version}
    (folder / "Chart.yaml").write_text(yaml.safe_dump(about))
    objects: list[Any] = [replace(chart, template=MARK).config_map, chart.deployment]
    for each in objects:
        each["metadata"].pop("namespace")
        text = yaml.safe_dump(each).replace(MARK, "{{ .Values.runners.config | toJson }}")
        (folder / "templates" / f"{each['kind'].lower()}.yaml").write_text(text)


@pytest.fixture
def helm(tmp_path: Path, cluster: Server, api: Api, namespace: str) -> Helm:
    """Give Helm, with the chart's release installed and its manager running."""
    images = cluster.images  # type: ignore[attr-defined]
    chart = Chart(
        "0.86.0",
        namespace=namespace,
        image=images.busybox,
        command=["/bin/sh", "-c", MANAGER],
        readiness=["/bin/ls", "/ready"],
        grace=5,
    )
    made = Helm(tmp_path, cluster, api, chart)
    done = made.deploy("install", DEFAULT_TEMPLATE)
    assert done.returncode == 0, done.stderr
    made.release.up()
    return made


OTHER = DEFAULT_TEMPLATE.replace("alpine", "debian")


@pytest.mark.usefixtures("pool")
def test_upgrades_pass_after_a_change_and_after_undo(nodepool: Nodepool, helm: Helm) -> None:
    release = helm.release
    refused = nodepool("patch-runner", "--runner", release.name)
    assert refused.exit_code == 5, refused.stderr
    assert f"belongs to the release {release.chart.namespace}/ci of Helm" in refused.stderr
    assert release.template() == DEFAULT_TEMPLATE

    done = nodepool("patch-runner", "--runner", release.name, "--live")
    assert done.exit_code == 0, done.stderr
    assert KEY in release.template()
    done = nodepool("undo", "--yes", "-n", release.chart.namespace)
    assert done.exit_code == 0, done.stderr
    assert release.template() == DEFAULT_TEMPLATE
    upgraded = helm.deploy("upgrade", OTHER)
    assert upgraded.returncode == 0, upgraded.stderr
    assert release.template() == OTHER

    done = nodepool("patch-runner", "--runner", release.name, "--live")
    assert done.exit_code == 0, done.stderr
    # With the same values, and with others: what agtool added is gone, as the docs say.
    for template in (OTHER, DEFAULT_TEMPLATE):
        upgraded = helm.deploy("upgrade", template)
        assert upgraded.returncode == 0, upgraded.stderr
        assert release.template() == template
    back = helm("rollback", "1")
    assert back.returncode == 0, back.stderr


@pytest.mark.usefixtures("pool")
def test_a_change_is_known_by_its_time_although_no_field_says_it(
    nodepool: Nodepool, helm: Helm
) -> None:
    release = helm.release
    done = nodepool("patch-runner", "--runner", release.name, "--live")
    assert done.exit_code == 0, done.stderr
    managers = release.config_map()["metadata"]["managedFields"]
    assert not [e for e in managers if e["manager"] == "agtool" and "f:data" in e["fieldsV1"]]
    again = nodepool.json("patch-runner", "--runner", release.name, "--live")
    assert again["data"]["changed"] is again["data"]["restarted"] is False
