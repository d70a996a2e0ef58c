"""krew, the real one, installs agtool from its manifest and the folder of all commands."""

from __future__ import annotations

import os
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from agtool import __version__
from bundle.selection import FULL
from release.plugin import krew_manifest
from tests import bundles
from tests.cluster.machine import architecture
from tests.conftest import needed
from tests.tools import installed


def krew(root: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run krew with a home and a root of its own."""
    with needed():
        program = installed.installed("krew") / "bin" / "krew"
    env = {"PATH": os.environ["PATH"], "HOME": str(root), "KREW_ROOT": str(root / "krew")}
    argv = [str(program), *map(str, arguments)]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def archive() -> Path:
    """Give the archive of the folder for this machine."""
    with needed():
        (path,) = bundles.made(FULL).glob("*.tar.gz")
    return path


def manifest(folder: Path, archive: Path, digest: str = "") -> Path:
    digest = digest or sha256(archive.read_bytes()).hexdigest()
    folders = {
        one: (archive.name, digest if one == architecture() else "0" * 64)
        for one in ("amd64", "arm64")
    }
    path = folder / "agtool.krew.yaml"
    path.write_text(krew_manifest("https://git.example.com/ops/agtool", __version__, folders))
    return path


def test_krew_installs_it(archive: Path, tmp_path: Path) -> None:
    given = ("--manifest", manifest(tmp_path, archive), "--archive", archive)
    done = krew(tmp_path, "install", *given)
    assert done.returncode == 0, done.stderr
    plugin = tmp_path / "krew/bin/kubectl-agtool"
    # Through krew's link it finds its own folder.
    done = subprocess.run([plugin, "debug", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--target pod/NAME" in done.stdout
    # `krew list` wants krew's own index, which is on the network.
    assert f"v{__version__}" in (tmp_path / "krew/receipts/agtool.yaml").read_text()


def test_krew_refuses_another_archive(archive: Path, tmp_path: Path) -> None:
    given = ("--manifest", manifest(tmp_path, archive, "1" * 64), "--archive", archive)
    done = krew(tmp_path, "install", *given)
    assert done.returncode != 0
    assert "checksum" in done.stderr.lower()
