"""Somebody who has only the files of a release: installs, completes, reads, runs, verifies."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from agtool import __version__
from release import ROOT
from tests.cluster.machine import architecture
from tests.cluster.server import Server
from tests.e2e.terminal import Terminal
from tests.release.conftest import Stranger, blocks
from tests.servers import tls
from tests.servers.certificates import root, to_pem

PROJECT = ROOT / "tests/tools/alembic"


@pytest.fixture(scope="module")
def installed(stranger: Stranger) -> Stranger:
    """Give the machine with agtool on it: verified and installed by the lines of the pages."""
    verify = blocks("docs/how-to/verify-a-release.md")
    said = stranger.does("".join(verify[:3]), "/root/dist")
    assert 'Good "file" signature' in said
    assert "FAILED" not in said
    pages = blocks("docs/how-to/install.md")
    (folder,) = (block for block in pages if "agtool-full" in block)
    (share,) = (block for block in pages if "agtool-share" in block)
    (plugin,) = (
        block for block in blocks("docs/how-to/kubectl-plugin.md") if block.startswith("tar ")
    )
    lines = (folder + share + plugin).replace("linux-amd64", f"linux-{architecture()}")
    stranger.does(lines, "/root/dist")
    return stranger


def first_example(stranger: Stranger, page: str) -> str:
    """The first line under EXAMPLES of a man page, as man shows it there."""
    shown = stranger.does(f"MANWIDTH=200 man {page}")
    return str(re.findall(r"\nEXAMPLES\n\s+(\S.*)\n", shown)[0]).strip()


def test_it_is_installed(installed: Stranger) -> None:
    assert installed.does("agtool --version") == f"agtool {__version__}\n"
    assert installed.does("kubectl-agtool --version") == f"agtool {__version__}\n"
    # Nothing of it stands on the machine but what the lines have put there.
    assert installed.run("test -e /work || command -v pip").returncode == 1


def test_the_man_pages(installed: Stranger) -> None:
    text = installed.does("MANWIDTH=100 man agtool")
    assert "migrate-once" in text
    named = re.findall(r"agtool-[a-z-]+(?=\(1\))", text)
    assert len(named) >= 4
    for page in named:
        assert f"{page} - " in installed.does(f"MANWIDTH=100 man {page}")


def test_completion(installed: Stranger) -> None:
    script = "/usr/local/share/bash-completion/completions/agtool"
    terminal = Terminal(installed.argv("bash", "--norc", "-i", env={"PS1": "ready> "}), {})
    try:
        terminal.expect("ready> ")
        terminal.type(f". {script}\r")
        terminal.expect("ready> ")
        terminal.type("agtool deb\t")
        terminal.expect("agtool debug ")
        terminal.type("--im\t")
        # It rings as well: there is more than one option that begins so.
        terminal.expect("--im\a?age")
        terminal.type("\t\t")
        terminal.expect("--image-pull-policy")
    finally:
        terminal.kill()


def test_migrate_once(installed: Stranger) -> None:
    line = first_example(installed, "agtool-migrate-once")
    assert line == "agtool migrate-once -- alembic upgrade head"
    project = installed.root / "root/shop"
    shutil.copytree(PROJECT / "project", project)
    shutil.copytree(PROJECT / "release-1", project, dirs_exist_ok=True)
    version = project / "migrations/versions/0002_index.py"
    version.write_text(version.read_text().replace("@index@", "SELECT 1"))
    env = {"DATABASE_URL": "sqlite:////root/shop.db"}
    installed.does(line, "/root/shop", env)
    assert "0002 (head)" in installed.does("alembic current", "/root/shop", env)
    status = installed.does("agtool migrate-once --status --output json", "/root/shop", env)
    (run,) = json.loads(status)["data"]["history"]
    assert run["exit_code"] == 0


def test_ci_nodepool(installed: Stranger, control_plane: Server) -> None:
    line = first_example(installed, "agtool-ci-nodepool-status")
    shutil.copy(control_plane.kubeconfig, installed.root / "root/kubeconfig")
    done = installed.run(line, env={"KUBECONFIG": "/root/kubeconfig"})
    assert done.returncode in (0, 1), done.stderr
    assert "GitLab runner" in done.stdout


@pytest.fixture
def hosts(installed: Stranger, tmp_path: Path) -> Iterator[None]:
    """Let example.com and www.example.com be here, with certificates of a CA that is here too."""
    ca = root("Test Root")
    names = ("example.com", "www.example.com")
    context = tls.tls_context(tmp_path, ca.intermediate("Test").leaf(*names))
    with ExitStack() as stack:
        for port in (443, 8443):
            stack.enter_context(tls.Listener(tls.https(context), "127.77.20.1", port))
        (installed.root / "root/ca.pem").write_text(to_pem(ca.certificate))
        lines = "".join(f"127.77.20.1 {name}\n" for name in names)
        (installed.root / "etc/hosts").write_text(lines)
        yield


@pytest.mark.usefixtures("hosts")
def test_le_staging(installed: Stranger) -> None:
    line = first_example(installed, "agtool-le-staging-verify")
    # Let's Encrypt's own roots are on the network: another CA stands for them.
    done = installed.run(f"{line} --cacert /root/ca.pem")
    assert done.returncode == 0, done.stderr
    for host in ("example.com", "www.example.com:8443"):
        assert re.search(rf"^{re.escape(host)} +STAGING ", done.stdout, re.MULTILINE)


def test_debug(installed: Stranger, cluster: Server, namespace: str) -> None:
    line = first_example(installed, "agtool-debug")
    assert line == "agtool debug"
    shutil.copy(cluster.kubeconfig, installed.root / "root/kubeconfig")
    env = {
        "KUBECONFIG": "/root/kubeconfig",
        "AGTOOL_DEBUG_IMAGE": cluster.images.bash,  # type: ignore[attr-defined]
    }
    terminal = Terminal(installed.argv(*line.split(), "-n", namespace, env=env), {})
    try:
        terminal.expect(r"\$ ")
        terminal.type("echo pod-$((6*7))\r")
        terminal.expect("pod-42")
        terminal.type("exit\r")
        assert terminal.wait() == 0
    finally:
        terminal.kill()
    with cluster.connect() as api:
        pods = api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
        assert [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")] == []
