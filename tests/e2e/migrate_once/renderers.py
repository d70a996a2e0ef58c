"""What is handed to `migrate-once inject` by Helm and Kustomize, and what has to come back."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # its stubs would be one more package for this line

from tests.e2e.conftest import clean_environment

HOW_TO = Path(__file__).parents[3] / "docs/how-to/inject.md"
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


def helm_template(helm: Path, folder: Path, env: dict[str, str], *options: str) -> None:
    """Render a chart with a hook. Only the Deployment is changed."""
    templates = folder / "chart/templates"
    templates.mkdir(parents=True)
    (folder / "chart/Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 0.1.0\n")
    (templates / "deployment.yaml").write_text(DEPLOYMENT)
    (templates / "test.yaml").write_text(HOOK)
    made = run(env, helm, "template", "shop", folder / "chart", *options)
    found = {each["kind"]: each for each in made}
    assert command_of(found["Deployment"])[-3:] == COMMAND
    assert found["Pod"]["spec"] == yaml.safe_load(HOOK)["spec"]


def post_renderer(text: str) -> list[str]:
    """The options with which Helm is run behind a line of the how-to that has this text."""
    page = HOW_TO.read_text(encoding="utf-8").replace("\\\n", "")
    block = page.partition(text)[2].partition("```sh\n")[2].partition("```")[0]
    words = shlex.split(block)
    return words[words.index("--post-renderer") :]
