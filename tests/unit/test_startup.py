"""Start-up is part of the product: nothing slow is imported before it is needed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SLOW = {"kubernetes", "sqlalchemy", "psycopg2", "pymysql", "httpx", "cryptography", "pydantic"}
SLOW |= {"OpenSSL", "certifi", "idna"}
SLOW |= {"urllib3", "websockets", "yaml"}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--help"],
        ["--version"],
        ["--nosuch"],
        ["migrate-once", "--help"],
        ["migrate-once"],
        ["ci-nodepool", "--help"],
        ["ci-nodepool", "taint", "--help"],
        ["ci-nodepool", "taint", "node", "no-effect=1"],
        ["ci-nodepool", "emit", "helm"],
        ["le-staging", "--help"],
        ["le-staging", "fetch", "--help"],
        ["le-staging", "verify", "--help"],
        ["le-staging", "curl", "--help"],
        ["le-staging", "chrome", "--help"],
        ["debug", "--help"],
        ["debug", "--list", "--keep"],
    ],
)
def test_help_imports_nothing_slow(arguments: list[str]) -> None:
    code = (
        "import sys; from agtool.app import main; sys.argv = ['agtool', *sys.argv[1:]];"
        "main(); print('MODULES', *sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    modules = run.stdout.rpartition("MODULES ")[2].split()
    called = arguments[0].replace("-", "_") if arguments else "_"
    command_lines = {module for module in modules if re.fullmatch(r"agtool\.\w+\.cli", module)}
    assert command_lines == ({f"agtool.{called}.cli"} if not called.startswith("_") else set())
    assert not SLOW & set(modules)
    assert not any(module.startswith("rich") for module in modules)


@pytest.mark.parametrize("arguments", [["ci-nodepool", "watch"], ["le-staging", "curl"]])
def test_only_the_called_command_is_imported(arguments: list[str]) -> None:
    technique, command = (word.replace("-", "_") for word in arguments)
    code = (
        "import sys; from agtool.app import main; sys.argv = ['agtool', *sys.argv[1:]];"
        "main(); print('MODULES', *sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, *arguments, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    modules = set(run.stdout.rpartition("MODULES ")[2].split())
    others = {"check", "edit", "emit", "nodes", "runner", "verify", "env", "browser", "roots"}
    assert f"agtool.{technique}.cli.{command}" in modules
    assert not modules & {f"agtool.{technique}.cli.{other}" for other in others}


def test_a_request_needs_half_of_the_official_client(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(
        "{apiVersion: v1, kind: Config, current-context: x,"
        " clusters: [{name: c, cluster: {server: 'http://127.0.0.1:9'}}],"
        " users: [{name: u, user: {token: t}}],"
        " contexts: [{name: x, context: {cluster: c, user: u}}]}"
    )
    code = (
        "import sys; from agtool.core.kube.session import connect;"
        "connect().close(); print('MODULES', *sys.modules);"
        # What has been left out is there for who wants it.
        "from kubernetes.client import ApiClient, CoreV1Api; from kubernetes import watch;"
        "ApiClient(); CoreV1Api; watch.Watch"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"KUBECONFIG": str(kubeconfig), "HOME": str(tmp_path)},
    )
    modules = set(run.stdout.rpartition("MODULES ")[2].split())
    assert "kubernetes.config.kube_config" in modules
    assert not modules & {
        "pydantic",
        "requests",
        "oauthlib.oauth2.rfc6749",
        "kubernetes.dynamic",
        "kubernetes.watch",
        "kubernetes.informer",
        "kubernetes.utils.duration",
        "kubernetes.client.api_client",
        "kubernetes.client.models",
    }


def test_version_and_module() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "agtool", "--version"], capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith("agtool 0.")


def test_the_shell_completes_commands() -> None:
    program = Path(sys.executable).with_name("agtool")
    run = subprocess.run(
        [program],
        env={"_AGTOOL_COMPLETE": "complete_bash", "COMP_WORDS": "agtool mig", "COMP_CWORD": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == ["migrate-once"]
