"""Helm 3, whose post-renderer is a command: `agtool migrate-once inject`, as the how-to has it."""

from pathlib import Path

from tests.conftest import needed
from tests.e2e.migrate_once.renderers import environment, helm_template, post_renderer
from tests.tools import installed


def test_a_command_is_a_post_renderer(tmp_path: Path) -> None:
    with needed():
        helm = installed.installed("helm-3") / "bin" / "helm"
    options = post_renderer("Helm 3 takes a command")
    helm_template(helm, tmp_path, environment(tmp_path), *options)
