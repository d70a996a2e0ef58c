"""The namespace of what is printed: one that is guessed would lead roles elsewhere."""

import json
import sys
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from agtool import app
from agtool.core.kube import contexts
from tests.unit.core.test_kube_access import config, plugin, write


@pytest.fixture(autouse=True)
def _nothing_of_the_person(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(contexts, "SERVICE_ACCOUNT", tmp_path / "account")


PRINTS = [["--print-rbac"], ["--print-rbac", "--list"], ["--dry-run", "--pause-image", "p:1"]]


def namespaces(
    prints: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, set[str]]:
    """The exit code, and the namespaces of what is printed."""
    monkeypatch.setattr(sys, "argv", ["agtool", "debug", *prints])
    code = app.main()
    found = yaml.safe_load_all(capsys.readouterr().out)
    return code, {one["metadata"].get("namespace") for one in found if one} - {None}


@pytest.mark.parametrize("prints", PRINTS)
def test_the_contexts_own_although_nobody_can_log_in(
    prints: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    content = config(user=plugin(tmp_path, "exit 1"))
    content["contexts"][0]["context"]["namespace"] = "shop"
    monkeypatch.setenv("KUBECONFIG", str(write(tmp_path, json.dumps(content))))
    assert namespaces(prints, monkeypatch, capsys) == (0, {"shop"})


@pytest.mark.parametrize("prints", PRINTS)
def test_none_is_printed_where_the_kubeconfig_is_missing(
    prints: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    named = [*prints, "--kubeconfig", str(tmp_path / "none")]
    code, found = namespaces(named, monkeypatch, capsys)
    assert (code in {3, 125}, found) == (True, set())
    assert namespaces(prints, monkeypatch, capsys) == (0, {"default"})
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))  # as kubectl: that is none
    assert namespaces(prints, monkeypatch, capsys) == (0, {"default"})
