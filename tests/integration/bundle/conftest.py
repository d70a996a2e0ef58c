"""Roots of images with agtool's folder in them, run by runc."""

import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests import bundles
from tests.conftest import announce, needed
from tests.servers.process import ServerUnavailable, find_program

_numbers = itertools.count(1)

UID = 1000660000
"""As OpenShift gives them: in no passwd file."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each of these tests the time that it takes to fetch and make the folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(600))


@dataclass
class Root:
    """An empty root, with a static busybox as /busybox and agtool's folder as /agtool.

    It cannot be written to; there is no /tmp, no passwd, no HOME and no PATH. The network is this
    machine's.
    """

    path: Path
    bundle: Path
    runc: Path
    mounts: list[dict[str, Any]] = field(default_factory=list)

    def mount(self, inside: str, kind: str, source: str | Path, *options: str) -> None:
        """Mount something there."""
        place = self.path / "root" / inside.strip("/")
        place.mkdir(exist_ok=True)
        place.chmod(0o777)  # as the kubelet makes an emptyDir; a tmpfs gets the rights of its place
        self.mounts.append(
            {"destination": inside, "type": kind, "source": str(source), "options": [*options]}
        )

    def run(
        self, *argv: str, env: Mapping[str, str] | None = None, uid: int = UID
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as a container's first process."""
        return subprocess.run(
            self._command(argv, env or {}, uid),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def _command(self, argv: Sequence[str], env: Mapping[str, str], uid: int) -> list[str | Path]:
        number = next(_numbers)
        place = self.path / f"container-{number}"
        place.mkdir()
        config = {
            "ociVersion": "1.0.2",
            "process": {
                "args": argv,
                "env": [f"{name}={value}" for name, value in env.items()],
                "cwd": "/",
                "user": {"uid": uid, "gid": 0},
                "noNewPrivileges": True,
            },
            "root": {"path": str(self.path / "root"), "readonly": True},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}, *self.mounts],
            "linux": {"namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc")]},
        }
        (place / "config.json").write_text(json.dumps(config))
        name = f"agtool-bundle-{os.getpid()}-{number}"
        return [self.runc, "--root", self.path / "state", "run", "--bundle", place, name]


@pytest.fixture(scope="session")
def bundle(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give agtool's folder, as it comes out of its archive."""
    announce(pytestconfig, "making agtool's folder")
    with needed():
        return bundles.unpack(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def root(bundle: Path, tmp_path: Path) -> Root:
    """Give an empty root."""
    with needed():
        runc = find_program("runc")
        busybox = find_program("busybox")
        if os.geteuid() != 0:
            raise ServerUnavailable("running a container as another user needs root")
    made = Root(tmp_path, bundle, runc)
    (tmp_path / "root" / "proc").mkdir(parents=True)
    shutil.copy(busybox, tmp_path / "root" / "busybox")
    made.mount("/agtool", "bind", bundle, "bind", "ro")
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    return made
