"""The Helm chart and the kustomization of watch: what they make, and a rollout of the chart."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs would be one more package for this line

from agtool.ci_nodepool.presets import PRESETS
from tests.cluster import build
from tests.cluster.server import Server
from tests.conftest import needed
from tests.e2e.ci_nodepool.conftest import Nodepool
from tests.e2e.conftest import clean_environment

DEPLOY = Path(__file__).parents[3] / "deploy/ci-nodepool-watch"
CHART = DEPLOY / "chart"
NAME = "agtool-ci-nodepool"

Documents = dict[str, dict[str, Any]]
Helm = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def helm(tmp_path: Path) -> Helm:
    """Give what runs Helm, with nothing of the person's own."""
    with needed():
        program = build.helm()

    def run(*arguments: object, kubeconfig: Path | None = None) -> Any:
        env = clean_environment({"HOME": str(tmp_path), "KUBECONFIG": str(kubeconfig or "")})
        return subprocess.run(
            [program, *map(str, arguments)], env=env, capture_output=True, text=True, check=False
        )

    return run


def by_kind(text: str) -> Documents:
    return {each["kind"]: each for each in yaml.safe_load_all(text) if each}


def rendered(helm: Helm, *options: str, name: str = NAME) -> Documents:
    """What the chart makes, in kube-system."""
    done = helm("template", name, CHART, "--namespace", "kube-system", *options)
    assert done.returncode == 0, done.stderr
    return by_kind(done.stdout)


def essence(documents: Documents) -> Documents:
    """The same, without the names and the labels that only a chart gives."""
    text = json.dumps(documents, sort_keys=True)
    text = text.replace(f"kube-system-{NAME}", NAME)
    found: Documents = json.loads(text)
    for document in found.values():
        document["metadata"].pop("labels", None)
    if spec := found.get("Deployment", {}).get("spec"):
        for labels in (spec["selector"]["matchLabels"], spec["template"]["metadata"]["labels"]):
            labels.pop("app.kubernetes.io/instance", None)
        for container in spec["template"]["spec"]["containers"]:
            container.pop("imagePullPolicy", None)
    return found


def test_helm_finds_nothing_to_mend(helm: Helm) -> None:
    done = helm("lint", "--strict", CHART, "--set", "podMonitor.enabled=true")
    assert done.returncode == 0, done.stdout + done.stderr


def test_by_default_it_is_the_manifest(helm: Helm) -> None:
    manifest = by_kind((DEPLOY / "watch.yaml").read_text(encoding="utf-8"))
    assert essence(rendered(helm)) == essence(manifest)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (["watch.preset=gke-spot"], ["--preset", "gke-spot"]),
        (["watch.selector=pool\\=ci"], ["--selector", "pool=ci"]),
        (["watch.keep={a=b:NoSchedule,c=d}", "watch.overwrite=true"],
         ["--overwrite", "a=b:NoSchedule", "c=d"]),
    ],
)  # fmt: skip
def test_what_it_keeps(
    helm: Helm, nodepool: Nodepool, values: list[str], wanted: list[str]
) -> None:
    options = [word for value in values for word in ("--set", value)]
    (container,) = rendered(helm, *options)["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["ci-nodepool", "watch", *wanted, "--listen", ":8080"]
    # agtool takes these words: it gets as far as the API server that is not there.
    done = nodepool.agtool.run(*container["args"][:-2], "--kubeconfig", "/nowhere", seconds=60)
    assert done.exit_code == 3, done.stderr


def test_the_other_values(helm: Helm, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    digest = f"sha256:{'0' * 64}"
    values.write_text(
        f"""
        image: {{repository: registry.example.com/agtool, digest: "{digest}", pullPolicy: Always}}
        imagePullSecrets: [{{name: registry}}]
        replicas: 2
        serviceAccount: {{annotations: {{a: b}}}}
        podMonitor: {{enabled: true, interval: 1m, labels: {{release: prometheus}}}}
        podAnnotations: {{c: d}}
        podLabels: {{e: f}}
        priorityClassName: system-cluster-critical
        nodeSelector: {{pool: system}}
        tolerations: [{{key: x, operator: Exists}}]
        affinity: {{nodeAffinity: {{}}}}
        """
    )
    found = rendered(helm, "--values", str(values))
    pod = found["Deployment"]["spec"]["template"]
    assert pod["metadata"]["annotations"] == {"c": "d"}
    assert pod["metadata"]["labels"]["e"] == "f"
    spec = pod["spec"]
    assert spec["containers"][0]["image"] == f"registry.example.com/agtool@{digest}"
    assert spec["containers"][0]["imagePullPolicy"] == "Always"
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert spec["priorityClassName"] == "system-cluster-critical"
    assert spec["nodeSelector"] == {"pool": "system"}
    assert spec["tolerations"] == [{"key": "x", "operator": "Exists"}]
    assert spec["affinity"] == {"nodeAffinity": {}}
    assert found["Deployment"]["spec"]["replicas"] == 2
    assert found["ServiceAccount"]["metadata"]["annotations"] == {"a": "b"}
    monitor = found["PodMonitor"]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["interval"] == "1m"
    (port,) = spec["containers"][0]["ports"]
    assert endpoint["port"] == port["name"]
    selected = monitor["spec"]["selector"]["matchLabels"].items()
    assert selected <= pod["metadata"]["labels"].items()


@pytest.mark.parametrize(
    "value",
    [
        *("watch.preset=gke", "watch.prest=gke-spot", "watch.keep={a b}", "watch.keep={a:Never}"),
        *("replicas=-1", "replicas=two", "image.pullPolicy=Sometimes", "image.repository="),
        *("image.digest=sha256:1", "podMonitor.enabled=yes", "podMonitor.interval=soon"),
        *("nodeSelector.a=true", "imagePullSecrets={registry}", "unknown=1"),
    ],
)
def test_values_that_are_refused(helm: Helm, value: str) -> None:
    done = helm("template", NAME, CHART, "--set", value)
    assert done.returncode != 0
    assert value.partition("=")[0].partition(".")[0] in done.stderr


def test_the_schema_knows_the_presets() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    watch = schema["properties"]["watch"]["properties"]
    assert watch["preset"]["enum"] == ["", *PRESETS]
    assert set(schema["properties"]) == {*values, "global"}
    for name, value in values.items():
        inner = schema["properties"][name].get("properties")
        if inner:
            assert set(inner) == set(value), name


def apply(server: Server, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Give text to the real kubectl."""
    return subprocess.run(
        [server.kubectl, "apply", "--validate=strict", *options, "-f", "-"],
        env={**os.environ, "KUBECONFIG": str(server.kubeconfig)},
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("by", ["helm", "kustomize"])
def test_the_api_server_takes_it(
    by: str, helm: Helm, control_plane: Server, tmp_path: Path
) -> None:
    if by == "helm":
        made = helm("template", NAME, CHART, "--namespace", "kube-system").stdout
    else:
        with needed():
            program = build.kustomize()
        (tmp_path / "kustomization.yaml").write_text(
            f"resources: [{os.path.relpath(DEPLOY, tmp_path)}]\n"
            "images: [{name: localhost/agtool/agtool-full, newName: r.example/x, newTag: '1'}]\n"
        )
        done = subprocess.run(
            [program, "build", "--load-restrictor=LoadRestrictionsNone", tmp_path],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        made = done.stdout
        assert "r.example/x:1" in made
    done = apply(control_plane, made, "--dry-run=server")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("(server dry run)") == 4
