"""`kubectl agtool`: by the real kubectl, and completed in real shells that have its completion."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.build import programs
from tests.cluster.server import Server
from tests.conftest import needed
from tests.e2e.app.test_completion import (
    EKS,
    SETTINGS,
    Shell,
    at_home,
    program,
    write_kubeconfig,
)
from tests.servers.process import find_program

PLUGIN = Path(__file__).parents[3] / "deploy/kubectl-plugin"

BASH = "/usr/share/bash-completion/bash_completion"

SOURCES = {
    "bash": f". {BASH}; . <(kubectl completion bash)\n",
    "zsh": "autoload -Uz compinit; compinit; . <(kubectl completion zsh)\n",
    "fish": "kubectl completion fish | source\n",
}


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Give a PATH with agtool, the plugin and the kubectl of the tests."""
    with needed():
        kubectl = programs().kubectl
    folder = program(tmp_path / "bin", "agtool")
    for each in (*PLUGIN.iterdir(), kubectl):
        (folder / each.name).symlink_to(each)
    return f"{folder}:{os.environ['PATH']}"


@pytest.fixture(params=SETTINGS)
def shell(
    request: pytest.FixtureRequest, tmp_path: Path, path: str
) -> Iterator[Callable[..., Shell]]:
    """Give what starts each of the shells, with kubectl's completion in it."""
    name = request.param
    with needed():
        find_program(name)
    if name == "bash" and not Path(BASH).exists():
        pytest.skip("the package bash-completion is not installed")
    home = tmp_path / "home"
    settings = home / SETTINGS[name][0]
    settings.parent.mkdir(parents=True)
    settings.write_text(SOURCES[name])
    started: list[Shell] = []

    def start(kubeconfig: Path) -> Shell:
        env = {"PATH": path, "KUBECONFIG": str(kubeconfig), "PYTHONPATH": str(Path.cwd())}
        started.append(Shell(name, home, {**env, "AGTOOL_COMPLETION_TIMEOUT": "15s"}))
        return started[-1]

    yield start
    for one in started:
        one.kill()


def test_the_plugin_is_agtool(path: str, tmp_path: Path) -> None:
    env = at_home(tmp_path, PATH=path)

    def kubectl(*arguments: str) -> subprocess.CompletedProcess[str]:
        argv = ["kubectl", *arguments]
        return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)

    assert kubectl("agtool", "--version").stdout.startswith("agtool ")
    assert f"{tmp_path}/bin/kubectl-agtool" in kubectl("plugin", "list").stdout
    # The exit code and what stands on stderr are agtool's.
    done = kubectl("agtool", "debug", "--nothing")
    assert done.returncode == 125
    assert "--nothing" in done.stderr


def test_words_and_values(shell: Callable[..., Shell], tmp_path: Path) -> None:
    kubectl = shell(write_kubeconfig(tmp_path / "config"))
    kubectl.expect_completed("kubectl agtool mig", "kubectl agtool migrate-once")
    kubectl.expect_completed("kubectl agtool debug --kubec", "kubectl agtool debug --kubeconfig")
    kubectl.expect_offered("kubectl agtool ", "ci-nodepool", "debug", "le-staging", "migrate-once")
    policy = "kubectl agtool debug --image-pull-policy"
    kubectl.expect_completed(policy[:-5], policy)
    # Typed by hand it holds a colon and slashes.
    before = "kubectl agtool debug --context "
    kubectl.expect_completed(f"{before}pre", f"{before}preprod")


def test_what_the_cluster_has(shell: Callable[..., Shell], control_plane: Server) -> None:
    kubectl = shell(control_plane.kubeconfig)
    before = "kubectl agtool debug -n "
    kubectl.expect_completed(f"{before}kube-s", f"{before}kube-system")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["deb"], ["debug\t", ":4"]),
        (["debug", "--output", ""], ["table", "json", "name", ":4"]),
        (["debug", "--context", "ar"], [EKS, ":4"]),
        (["debug", "--kubeconfig", ""], [":0"]),
        (
            ["debug", "it's; $(touch /nowhere/x) `x` \"", "--im"],
            ["--image\t", "--image-pull-policy", "--image-pull-secret", ":4"],
        ),
    ],
)
def test_what_kubectl_is_told(
    words: list[str], wanted: list[str], path: str, tmp_path: Path
) -> None:
    config = write_kubeconfig(tmp_path / "config")
    env = at_home(tmp_path, PATH=path, KUBECONFIG=str(config), AGTOOL_COMPLETION_TIMEOUT="15s")
    done = subprocess.run(
        ["kubectl_complete-agtool", *words], env=env, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) == len(wanted), lines
    for line, start in zip(lines, wanted, strict=True):
        assert line.startswith(start)
