"""The Helm library and the Kustomize component: what they make is what `inject` makes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs would be one more package for this line

from tests.cluster import build
from tests.cluster.server import Server
from tests.conftest import needed
from tests.e2e.conftest import Agtool, clean_environment

ROOT = Path(__file__).parents[3]
LIBRARY = ROOT / "deploy/migrate-once/library-chart"
COMPONENT = ROOT / "deploy/migrate-once/kustomize"
PAGE = (ROOT / "docs/how-to/deploy.md").read_text(encoding="utf-8")
IMAGE = "registry.example.com/agtool:0.1.0"


def blocks(heading: str) -> list[str]:
    """The blocks of YAML below a heading of the page."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [block.partition("\n```")[0] for block in section.split("```yaml\n")[1:]]


SHOP = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
  labels: {agtool/migrate-once: "true"}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - name: shop
          image: registry.example/shop:1.4.2
          env:
            - {name: DATABASE_URL, valueFrom: {secretKeyRef: {name: shop-database, key: url}}}
"""


def injected(agtool: Agtool, folder: Path, *options: str) -> dict[str, Any]:
    """The spec of the pod that `inject` makes of the same workload."""
    file = folder / "plain.yaml"
    file.write_text(SHOP)
    done = agtool.run(
        "migrate-once", "inject", file, "--image", IMAGE, *options, "--", "rails", "db:migrate"
    )
    assert done.exit_code == 0, done.stderr
    return pod_of(done.stdout)


def pod_of(text: str) -> dict[str, Any]:
    (deployment,) = [each for each in yaml.safe_load_all(text) if each]
    spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return spec


def chart(folder: Path, template: str) -> Path:
    """A chart that uses the library, as the page shows it."""
    (dependency, _) = blocks("migrate-once in your chart")
    made = folder / "shop"
    (made / "templates").mkdir(parents=True)
    (made / "Chart.yaml").write_text(f"apiVersion: v2\nname: shop\nversion: 1.0.0\n{dependency}\n")
    (folder / "agtool-migrate-once").symlink_to(LIBRARY)
    (made / "values.yaml").write_text(
        "env: [{name: DATABASE_URL, valueFrom: {secretKeyRef: {name: shop-database, key: url}}}]\n"
    )
    (made / "templates/deployment.yaml").write_text(template)
    return made


def helm(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    with needed():
        program = build.helm()
    env = clean_environment({"HOME": str(folder)})
    argv = [str(program), *map(str, arguments)]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)


def template(folder: Path, made: Path) -> subprocess.CompletedProcess[str]:
    done = helm(folder, "dependency", "update", made)
    assert done.returncode == 0, done.stderr
    return helm(folder, "template", "shop", made)


def test_the_page_s_chart_makes_what_inject_makes(agtool: Agtool, tmp_path: Path) -> None:
    (_, page) = blocks("migrate-once in your chart")
    done = template(tmp_path, chart(tmp_path, page))
    assert done.returncode == 0, done.stderr
    assert pod_of(done.stdout) == injected(agtool, tmp_path)


def test_options_and_key(agtool: Agtool, tmp_path: Path) -> None:
    (_, page) = blocks("migrate-once in your chart")
    more = '"options" (list "--wait-timeout=10m") "key" "1.4" "command"'
    done = template(tmp_path, chart(tmp_path, page.replace('"command"', more)))
    assert done.returncode == 0, done.stderr
    (_, migrate) = pod_of(done.stdout)["initContainers"]
    (_, wanted) = injected(agtool, tmp_path, "--wait-timeout", "10m", "--key", "1.4")[
        "initContainers"
    ]
    assert migrate == wanted


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("shop:1.4.2", "shop:latest", "cannot be the key"),
        ("shop:1.4.2", "shop", "cannot be the key"),
        ("registry.example/shop:1.4.2", "registry.example:5000/shop", "cannot be the key"),
        ('(list "rails" "db:migrate")', '"rails db:migrate"', "must be a list"),
        (f'"image" "{IMAGE}"', "", "image that holds agtool's folder"),
        ('"container" $container', "", "give it the container"),
    ],
)
def test_what_the_library_refuses(old: str, new: str, said: str, tmp_path: Path) -> None:
    (_, page) = blocks("migrate-once in your chart")
    assert old in page
    done = template(tmp_path, chart(tmp_path, page.replace(old, new)))
    assert done.returncode != 0
    assert said in done.stderr


def kustomized(folder: Path) -> str:
    """What the page's kustomization makes."""
    with needed():
        program = build.kustomize()
    (page,) = blocks("migrate-once with Kustomize")
    here = os.path.relpath(COMPONENT, folder.resolve())
    (folder / "kustomization.yaml").write_text(page.replace("deploy/migrate-once/kustomize", here))
    (folder / "shop.yaml").write_text(SHOP)
    done = subprocess.run([program, "build", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_component_makes_what_inject_makes_but_for_the_key(
    agtool: Agtool, tmp_path: Path
) -> None:
    made, wanted = pod_of(kustomized(tmp_path)), injected(agtool, tmp_path)
    command = wanted["initContainers"][1]["command"]
    (key,) = (word for word in command if word.startswith("--key="))
    command.remove(key)
    migrate = made["initContainers"][1]
    migrate["command"] += migrate.pop("args")
    for spec in (made, wanted):
        for container in spec["initContainers"]:
            container.get("env", []).sort(key=lambda one: one["name"])
    assert made == wanted


@pytest.mark.parametrize("by", ["helm", "kustomize"])
def test_the_api_server_takes_it(by: str, control_plane: Server, tmp_path: Path) -> None:
    if by == "helm":
        text = template(tmp_path, chart(tmp_path, blocks("migrate-once in your chart")[1])).stdout
    else:
        text = kustomized(tmp_path)
    done = subprocess.run(
        [control_plane.kubectl, "apply", "--validate=strict", "--dry-run=server", "-f", "-"],
        env={**os.environ, "KUBECONFIG": str(control_plane.kubeconfig)},
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
