"""The real Helm and the real Kustomize, which hand their manifests to `migrate-once inject`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # its stubs would be one more package for this line

from tests.cluster import build
from tests.conftest import needed
from tests.e2e.conftest import clean_environment

ROOT = Path(__file__).parents[3]
IMAGE = "registry.example/agtool:1"

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - name: shop
          image: registry.example/shop:1.4.2
          env: [{name: DATABASE_URL, value: x}]
"""
HOOK = """\
apiVersion: v1
kind: Pod
metadata: {name: shop-test, annotations: {helm.sh/hook: test}}
spec: {containers: [{name: test, image: "registry.example/test:1"}]}
"""
COMMAND = ["--", "rails", "db:migrate"]


def environment(folder: Path) -> dict[str, str]:
    """Settings with which agtool is found, and nothing of the person's own is."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return clean_environment({"HOME": str(folder), "PATH": path, "AGTOOL_IMAGE": IMAGE})


def run(env: dict[str, str], *argv: object) -> list[Any]:
    """The documents that a program prints."""
    done = subprocess.run([*map(str, argv)], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def command_of(deployment: dict[str, Any]) -> list[str]:
    *_, migrate = deployment["spec"]["template"]["spec"]["initContainers"]
    assert migrate["name"] == "agtool-migrate-once"
    return list(migrate["command"])


def test_a_post_renderer_of_helm(tmp_path: Path) -> None:
    with needed():
        helm = build.helm()
    templates = tmp_path / "chart/templates"
    templates.mkdir(parents=True)
    (tmp_path / "chart/Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 0.1.0\n")
    (templates / "deployment.yaml").write_text(DEPLOYMENT)
    (templates / "test.yaml").write_text(HOOK)
    env = environment(tmp_path)
    plugin = ROOT / "deploy/helm-plugin/agtool-migrate-once"
    subprocess.run([helm, "plugin", "install", plugin], env=env, capture_output=True, check=True)
    made = run(
        env, helm, "template", "shop", tmp_path / "chart",
        "--post-renderer", "agtool-migrate-once",
        "--post-renderer-args", "--command=rails db:migrate",
    )  # fmt: skip
    found = {each["kind"]: each for each in made}
    assert command_of(found["Deployment"])[-3:] == COMMAND
    assert found["Pod"]["spec"] == yaml.safe_load(HOOK)["spec"]


def test_a_function_of_kustomize(tmp_path: Path) -> None:
    with needed():
        kustomize = build.kustomize()
    page = (ROOT / "docs/how-to/inject.md").read_text(encoding="utf-8")
    kustomization, function = [
        block.partition("\n```")[0]
        for block in page.partition("## Kustomize")[2].split("```yaml\n")[1:]
    ]
    script = page.partition("#!/bin/sh\n")[2].partition("```")[0]
    (tmp_path / "kustomization.yaml").write_text(
        f"{kustomization}\nimages: [{{name: registry.example/shop, newTag: 1.4.3}}]\n"
    )
    (tmp_path / "migrate-once.yaml").write_text(function)
    (tmp_path / "shop.yaml").write_text(DEPLOYMENT)
    program = tmp_path / "agtool-migrate-once"
    program.write_text(f"#!/bin/sh\n{script}")
    program.chmod(0o755)
    (made,) = run(
        environment(tmp_path),
        kustomize,
        "build",
        "--enable-alpha-plugins",
        "--enable-exec",
        tmp_path,
    )
    command = command_of(made)
    assert command[-3:] == COMMAND
    assert "--key=registry.example/shop:1.4.3" in command
