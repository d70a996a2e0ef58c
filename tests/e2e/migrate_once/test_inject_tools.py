"""The real Helm and the real Kustomize, which hand their manifests to `migrate-once inject`."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.cluster import build
from tests.conftest import needed
from tests.e2e.migrate_once.renderers import (
    COMMAND,
    DEPLOYMENT,
    HOW_TO,
    command_of,
    environment,
    helm_template,
    post_renderer,
    run,
)

ROOT = Path(__file__).parents[3]


def test_a_post_renderer_of_helm(tmp_path: Path) -> None:
    with needed():
        helm = build.helm()
    env = environment(tmp_path)
    plugin = ROOT / "deploy/helm-plugin/agtool-migrate-once"
    subprocess.run([helm, "plugin", "install", plugin], env=env, capture_output=True, check=True)
    helm_template(helm, tmp_path, env, *post_renderer("of Helm 4"))


def test_a_function_of_kustomize(tmp_path: Path) -> None:
    with needed():
        kustomize = build.kustomize()
    page = HOW_TO.read_text(encoding="utf-8")
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
    build_all = ("build", "--enable-alpha-plugins", "--enable-exec", tmp_path)
    (made,) = run(environment(tmp_path), kustomize, *build_all)
    command = command_of(made)
    assert command[-3:] == COMMAND
    assert "--key=registry.example/shop:1.4.3" in command
    # A commit without quotes, which YAML takes for a number that is too large to be one.
    (tmp_path / "migrate-once.yaml").write_text(f"{function}\n  key: 12e4567\n")
    (made,) = run(environment(tmp_path), kustomize, *build_all)
    assert "--key=12e4567" in command_of(made)
