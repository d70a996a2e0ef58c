"""Completion in real shells, which a test types in, installed as a person installs it."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.server import Server
from tests.conftest import needed
from tests.e2e.conftest import clean_environment
from tests.e2e.terminal import Terminal
from tests.servers.process import find_program

PROMPT = "ready> "

# What each shell reads when it starts, to have a prompt that a test can wait for.
SETTINGS = {
    "bash": (".bashrc", f"PS1='{PROMPT}'\n"),
    "zsh": (".zshrc", f"PS1='{PROMPT}'\n"),
    "fish": (".config/fish/config.fish", f"function fish_prompt; echo -n '{PROMPT}'; end\n"),
}

# At colons bash begins a word anew.
EKS = "arn:aws:eks:eu-west-1:1:cluster/shop"


def at_home(home: Path, **more: str) -> dict[str, str]:
    """The environment of a person with this home folder."""
    env = clean_environment({"HOME": str(home), "TERM": "xterm", **more})
    return {k: v for k, v in env.items() if k not in ("XDG_CONFIG_HOME", "ZDOTDIR")}


class Shell(Terminal):
    """A shell in a home of its own, in which agtool's completion is installed."""

    def __init__(self, name: str, home: Path, env: dict[str, str]) -> None:
        self.name = name
        self.env = at_home(home, COLUMNS="200", **env)
        self.run("agtool", "--install-completion", name)
        file, line = SETTINGS[name]
        (home / file).parent.mkdir(parents=True, exist_ok=True)
        with (home / file).open("a") as settings:
            settings.write(line)
        super().__init__(["env", "-i", *(f"{k}={v}" for k, v in self.env.items()), name, "-i"], {})
        self.expect(PROMPT)

    def expect(self, pattern: str, seconds: float = 40) -> None:
        super().expect(pattern, seconds)

    def run(self, *argv: str) -> str:
        """The output of a command in the shell's environment."""
        done = subprocess.run(argv, env=self.env, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout

    def expect_completed(self, typed: str, wanted: str) -> None:
        """After Tab `wanted` stands on the line."""
        # To the line's start, and its words become those of echo.
        assert self._echoed(f"{typed}\t\x01echo '=' \r") == wanted

    def expect_offered(self, typed: str, *words: str) -> None:
        """After Tab, which bash wants twice, all of these words are shown."""
        self.type(f"{typed}\t\t" if self.name == "bash" else f"{typed}\t")
        self.expect("(?s)" + "".join(rf"(?=.*{re.escape(word)})" for word in words))
        self._echoed("\x15echo '=' end\r")  # the line is emptied first

    def _echoed(self, keys: str) -> str:
        """What `echo '='` prints, which the keys type."""
        self.type(keys)
        self.expect(r"[\r\nJ]= [^\r]*\r")
        found = re.findall(r"[\r\nJ]= ([^\r]*)\r", self.seen)[-1]
        self.expect(PROMPT)
        return str(found).strip()


def program(path: Path, *argv: str) -> Path:
    """Make an `agtool` that starts something else."""
    path.mkdir()
    line = shlex.join([sys.executable, "-m", *argv])
    (path / "agtool").write_text(f'#!/bin/sh\nexec {line} "$@"\n')
    (path / "agtool").chmod(0o755)
    return path


def write_kubeconfig(path: Path, server: str = "https://127.0.0.1:1", **user: object) -> Path:
    """A kubeconfig with three contexts."""
    content = {
        "clusters": [{"name": "one", "cluster": {"server": server}}],
        "users": [{"name": "one", "user": {"token": "none", **user}}],
        "contexts": [
            {"name": name, "context": {"cluster": "one", "user": "one"}}
            for name in ("prod", "preprod", EKS)
        ],
        "current-context": "prod",
    }
    path.write_text(json.dumps(content))  # which is YAML, too
    return path


@pytest.fixture(params=SETTINGS)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Shell]]:
    """Give what starts each of the shells, with an agtool and a kubeconfig."""
    with needed():
        find_program(request.param)
    home = tmp_path / "home"
    home.mkdir()
    started: list[Shell] = []

    def start(*argv: str, kubeconfig: Path | str = "") -> Shell:
        folder = program(tmp_path / "bin", *(argv or ["agtool"]))
        path = f"{folder}:{os.environ['PATH']}"
        env = {
            "PATH": path,
            "KUBECONFIG": str(kubeconfig),
            "PYTHONPATH": str(Path.cwd()),
            "AGTOOL_COMPLETION_TIMEOUT": "15s",  # the machine may be busy
        }
        started.append(Shell(request.param, home, env))
        return started[-1]

    try:
        yield start
    finally:
        for one in started:
            one.kill()


def test_words(shell: Callable[..., Shell]) -> None:
    agtool = shell()
    agtool.expect_completed("agtool mig", "agtool migrate-once")
    agtool.expect_completed("agtool --vers", "agtool --version")
    agtool.expect_completed("agtool --show-completion z", "agtool --show-completion zsh")
    agtool.expect_completed("agtool help le", "agtool help le-staging")
    agtool.expect_completed("agtool schema ci-nodepool ta", "agtool schema ci-nodepool taint")
    agtool.expect_offered("agtool ", "ci-nodepool", "debug", "le-staging", "migrate-once")


def test_words_of_the_techniques(shell: Callable[..., Shell], tmp_path: Path) -> None:
    agtool = shell(kubeconfig=write_kubeconfig(tmp_path / "config"))
    agtool.expect_completed("agtool ci-nodepool unt", "agtool ci-nodepool untaint")
    agtool.expect_completed("agtool debug --kubec", "agtool debug --kubeconfig")
    agtool.expect_completed("agtool debug --context ar", f"agtool debug --context {EKS}")
    agtool.expect_completed("agtool ci-nodepool status -o j", "agtool ci-nodepool status -o json")


def test_contexts(shell: Callable[..., Shell], tmp_path: Path) -> None:
    kubeconfig = write_kubeconfig(tmp_path / "config")
    agtool = shell("tests.unit.app.shop", kubeconfig=kubeconfig)
    for before in ("agtool shop look --context ", "agtool shop look --context="):
        agtool.expect_completed(f"{before}pro", f"{before}prod")
        agtool.expect_completed(f"{before}arn:aws:e", f"{before}{EKS}")
    agtool.expect_offered("agtool shop look --context ", "prod", "preprod", EKS)
    (tmp_path / "other").write_text(kubeconfig.read_text().replace("preprod", "staging"))
    before = f"agtool shop look --kubeconfig {tmp_path / 'other'} --context "
    agtool.expect_completed(f"{before}s", f"{before}staging")


def test_files(shell: Callable[..., Shell], tmp_path: Path) -> None:
    (tmp_path / "the-file").touch()
    agtool = shell("tests.unit.app.shop")
    for before in ("agtool shop look --kubeconfig ", "agtool shop look --kubeconfig="):
        agtool.expect_completed(f"{before}{tmp_path}/the-", f"{before}{tmp_path}/the-file")


def test_what_the_cluster_has(
    shell: Callable[..., Shell],
    control_plane: Server,
    control_plane_namespace: str,
    fake_nodes: Callable[..., list[str]],
) -> None:
    (node,) = fake_nodes(1)
    agtool = shell("tests.unit.app.shop", kubeconfig=control_plane.kubeconfig)
    look = "agtool shop look"
    agtool.expect_completed(f"{look} -n kube-s", f"{look} -n kube-system")
    agtool.expect_completed(f"{look} --node {node[:-1]}", f"{look} --node {node}")
    with control_plane.connect() as api:
        path = f"/api/v1/namespaces/{control_plane_namespace}/pods"
        container = {"name": "main", "image": "none"}
        metadata = {"name": "web-0"}
        api.post(path, {"metadata": metadata, "spec": {"containers": [container]}})
    before = f"{look} -n {control_plane_namespace} --target "
    agtool.expect_completed(f"{before}pod/w", f"{before}pod/web-0")


@pytest.mark.parametrize("name", SETTINGS)
def test_the_script(name: str, tmp_path: Path) -> None:
    """It is shown and installed with the exit code 0, and nothing is written outside of HOME."""
    env = at_home(tmp_path)

    def agtool(*arguments: str) -> str:
        argv = [sys.executable, "-m", "agtool", *arguments]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout

    shown = agtool("--show-completion", name)
    if shutil.which(name):
        subprocess.run([name], input=shown, env=env, check=True, text=True)
    for _ in range(2):  # a second time changes nothing
        path = re.search(r"/\S+", agtool("--install-completion", name))
        assert path
        assert Path(path[0]).is_relative_to(tmp_path)
        assert Path(path[0]).read_text() == shown
        settings = [file for file in tmp_path.glob(".*rc") if file.is_file()]
        assert all(len(file.read_text().splitlines()) == 1 for file in settings)


NEVER = "sleep 91.625"
PLUGIN = f"echo noise >&2; echo asks >/dev/tty; read answer </dev/tty; {NEVER} & {NEVER}"
VERSION = "client.authentication.k8s.io/v1"


def slow(path: Path) -> Path:
    """A kubeconfig whose log-in plugin asks, writes and never ends."""
    plugin = {"apiVersion": VERSION, "command": "sh", "args": ["-c", PLUGIN]}
    return write_kubeconfig(path, token=None, exec=plugin)


def broken(path: Path) -> Path:
    """A kubeconfig that is not one."""
    path.write_text("contexts: {a: [")
    return path


def silent(path: Path) -> Path:
    """A kubeconfig of a server that takes a connection and says nothing."""
    return write_kubeconfig(path, server="https://127.0.0.1:{port}")


def pipe(path: Path) -> Path:
    """A pipe that nobody writes into."""
    os.mkfifo(path)
    return path


@pytest.mark.parametrize(
    "kubeconfig",
    [
        write_kubeconfig,
        silent,
        slow,
        broken,
        pipe,
        lambda path: path,
    ],
    ids=["closed", "silent", "plugin", "broken", "pipe", "missing"],
)
def test_without_a_cluster_it_ends_and_is_silent(
    kubeconfig: Callable[[Path], Path], tmp_path: Path
) -> None:
    file = kubeconfig(tmp_path / "config")
    words = f"agtool shop look --kubeconfig {file} --node "
    env = {"COMP_WORDS": words, "COMP_CWORD": "6", "_AGTOOL_COMPLETE": "complete_bash"}
    with socket.create_server(("127.0.0.1", 0)) as server:
        if kubeconfig is silent:
            file.write_text(file.read_text().replace("{port}", str(server.getsockname()[1])))
        # The pipe, the plugin and the server would let it wait for ever. How much of a second it
        # takes is for a machine that has nothing else to do.
        done = subprocess.run(
            [sys.executable, "-m", "tests.unit.app.shop"],
            env=clean_environment(env),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    assert (done.stdout.strip(), done.stderr) == ("", "")
    assert subprocess.run(["pgrep", "-f", NEVER], check=False, stdout=subprocess.DEVNULL).returncode
